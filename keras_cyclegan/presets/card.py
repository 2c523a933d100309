"""The model card, `README.md`: what a preset is, where it comes from and how to use it."""

import json

HEADER = """---
library_name: keras
pipeline_tag: image-to-image
tags:
- keras-cyclegan
- cyclegan
- unpaired-image-to-image-translation
---
"""
USAGE = """## Usage

```python
import keras_cyclegan

model = keras_cyclegan.CycleGAN.from_preset({title})
translated = model.translate("image.jpg", direction="a_to_b")
"""
BACK = 'back = model.translate("image.jpg", direction="b_to_a")\n'
SCALES = {
    "whole": "- scale: whole photos, {} pixels on the short side",
    "detail": "- scale: parts of images at their own resolution",
}


def model_card(title, generators, image_shape, metadata):
    """Write the card in Markdown, with the header that the Hugging Face Hub reads.

    `metadata` is `metadata.json`; of its `card` the `description` comes first, without a heading.
    """
    card = dict(metadata["card"])
    directions = {"generator_ab": "A to B", "generator_ba": "B to A"}
    kinds = [f"{type(generators[name]).__name__} ({directions[name]})" for name in generators]
    facts = [
        f"- generators: {', '.join(kinds)}",
        f"- parameters of the generators: {metadata['parameter_count']:,}",
        f"- trained at (height, width, channels): {tuple(image_shape)}",
        f"- weights stored as: {metadata['storage_dtype']}",
        f"- saved: {metadata['date_saved']}, keras-cyclegan "
        f"{metadata['keras_cyclegan_version']}, Keras {metadata['keras_version']}",
    ]
    if metadata["scale"]:
        facts.append(SCALES[metadata["scale"]].format(metadata["working_size"]))
    description = card.pop("description", "A CycleGAN: unpaired image-to-image translation.")
    usage = USAGE.format(title=json.dumps(title, ensure_ascii=False))
    usage += f"{BACK if 'generator_ba' in generators else ''}```"
    sections = [HEADER + f"# {title}", description, "\n".join(facts), usage]
    for heading, text in card.items():
        heading = heading.replace("_", " ")
        sections.append(f"## {heading[:1].upper()}{heading[1:]}\n\n{text}")
    return "\n\n".join(sections) + "\n"
