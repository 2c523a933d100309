"""The authors' published generators: downloaded once, converted once, then a preset folder."""

from keras_cyclegan.files.download import cache_folder, fetch, forget, locked, verify
from keras_cyclegan.presets.convert import convert_checkpoints
from keras_cyclegan.presets.folder import GENERATORS
from keras_cyclegan.presets.table import ADDRESS, PUBLISHED, RESNET_9_PARAMETERS, list_presets

# Torch's framing and the running statistics of old files take less than a tenth of a megabyte.
LEAST_BYTES = 4 * RESNET_9_PARAMETERS
MOST_BYTES = LEAST_BYTES + 2**20


def published_folder(name):
    """Return the preset folder of a published model; make it at first use.

    The SHA-256 of each checkpoint and of the converted weights is recorded when the file is first
    seen, and checked each time after.

    Raises:
        DownloadError: a checkpoint could not be downloaded, or a file was changed.
        ValueError: a checkpoint isn't what the authors published.
    """
    folder = cache_folder() / "presets" / name
    if not folder.exists():
        with locked(folder):
            if not folder.exists():  # another process may have been here before
                _convert(name, folder)
    verify(folder / GENERATORS, f"the preset {name!r}")
    return folder


def _convert(name, folder):
    checkpoints = [_checkpoint(file) for file in PUBLISHED[name].files]
    try:
        model = convert_checkpoints(*checkpoints)
    except ValueError:
        for checkpoint in checkpoints:
            forget(checkpoint)
        raise
    model.save_to_preset(folder, card=_card(name), discriminators=False)
    for checkpoint in checkpoints:
        checkpoint.unlink()


def published_config(name):
    """Return the content of the preset's `config.json`, without a download."""
    shape = [256, 256, 3]

    def network(module, class_name, **config):
        return {
            "module": f"keras_cyclegan.networks.{module}",
            "class_name": class_name,
            "registered_name": f"keras_cyclegan>{class_name}",
            "config": {"image_shape": shape, **config},
        }

    two_way = PUBLISHED[name].b_to_a is not None
    networks = {"generator_ab": network("resnet", "ResNetGenerator", name="generator_ab")}
    others = {
        "generator_ba": network("resnet", "ResNetGenerator", name="generator_ba"),
        "discriminator_a": network("patchgan", "PatchDiscriminator", name="discriminator_a"),
        "discriminator_b": network("patchgan", "PatchDiscriminator", name="discriminator_b"),
    }
    return {
        "module": "keras_cyclegan.cyclegan",
        "class_name": "CycleGAN",
        "registered_name": "keras_cyclegan>CycleGAN",
        "config": {
            **networks,
            **{key: value if two_way else None for key, value in others.items()},
            "image_shape": shape,
        },
    }


def _checkpoint(file):
    path = cache_folder() / "checkpoints" / f"{file}.pth"
    return fetch(ADDRESS.format(file), path, least=LEAST_BYTES, most=MOST_BYTES)


def _card(name):
    facts = list_presets()[name]
    shown = ("description", "origin", "code_licence", "data_licence", "recipe")
    return {key: facts[key] for key in shown} | {
        "training on": "The authors published no discriminators: they start fresh."
    }
