"""The model card, `README.md`: what a preset is, where it comes from and how to use it."""

import json
import re

HEADER = """---
library_name: keras
pipeline_tag: image-to-image
tags:
- keras-cyclegan
- cyclegan
- unpaired-image-to-image-translation
---
"""


def model_card(title, model, metadata):
    """Write the card of `model` in Markdown, with the header that the Hugging Face Hub reads.

    Args:
        title: str.
        model: `CycleGAN`.
        metadata: dict, the preset's `metadata.json`. Its `card` is a dict from headings to
            Markdown; `description` comes first, without a heading.

    Returns:
        str.
    """
    card = dict(metadata["card"])
    facts = [
        f"- generators: {', '.join(_generators(model))}",
        f"- parameters of the generators: {metadata['parameter_count']:,}",
        f"- trained at (height, width, channels): {tuple(model.image_shape)}",
        f"- weights stored as: {metadata['storage_dtype']}",
        f"- saved: {metadata['date_saved']}, keras-cyclegan "
        f"{metadata['keras_cyclegan_version']}, Keras {metadata['keras_version']}",
    ]
    description = card.pop("description", "A CycleGAN: unpaired image-to-image translation.")
    sections = [HEADER + f"# {title}", description, "\n".join(facts), _usage(title, model)]
    for heading, text in card.items():
        heading = re.sub("_", " ", heading)
        sections.append(f"## {heading[:1].upper()}{heading[1:]}\n\n{text}")
    if not card:
        sections.append(
            "## Provenance\n\nNot stated. Name the training data, its licence, the recipe and "
            "the known failures: `save_to_preset(folder, card={...})`."
        )
    return "\n\n".join(sections) + "\n"


def naming(card, handle):
    """Replace the folder in the usage of a card by `handle`."""
    return re.sub(r"(?m)\.from_preset\(.*$", f'.from_preset("{handle}")', card, count=1)


def _generators(model):
    for name, direction in (("generator_ab", "A to B"), ("generator_ba", "B to A")):
        network = getattr(model, name)
        if network is not None:
            yield f"{type(network).__name__} ({direction})"


def _usage(title, model):
    lines = [
        "import keras_cyclegan",
        "",
        f"model = keras_cyclegan.CycleGAN.from_preset({json.dumps(title, ensure_ascii=False)})",
        'translated = model.translate("image.jpg", direction="a_to_b")',
    ]
    if model.generator_ba is not None:
        lines.append('back = model.translate("image.jpg", direction="b_to_a")')
    return "\n".join(["## Usage", "", "```python", *lines, "```"])
