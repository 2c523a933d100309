"""The authors' published generators: downloaded once, converted once, then a preset folder."""

import keras

from keras_cyclegan.files.download import cache_folder, fetch, forget, locked, verify
from keras_cyclegan.networks import PatchDiscriminator
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.networks.size_limits import build_without_weights
from keras_cyclegan.presets.config import model_config
from keras_cyclegan.presets.convert import convert_checkpoints
from keras_cyclegan.presets.folder import GENERATORS, write_folder
from keras_cyclegan.presets.table import ADDRESS, PUBLISHED, RESNET_9_PARAMETERS, list_presets

# Torch's framing and the running statistics of old files take less than a tenth of a megabyte.
MIN_BYTES = 4 * RESNET_9_PARAMETERS
MAX_BYTES = MIN_BYTES + 2**20
ON_THE_CARD = ("description", "origin", "code_licence", "data_licence", "recipe")


def published_folder(name):
    """Return the preset folder of a published model; make it at first use.

    Checkpoints must have the SHA-256 of the table, or where it has none that of the first
    download; the converted weights must stay what they are.
    """
    folder = cache_folder() / "presets" / name
    if not folder.exists():
        with locked(folder):
            if not folder.exists():  # another process may have been here before
                _convert(name, folder)
    verify(folder / GENERATORS, f"the preset {name!r}")
    return folder


def _convert(name, folder):
    checkpoints = [_checkpoint(*item) for item in PUBLISHED[name]["files"].items()]
    try:
        converted = convert_checkpoints(*checkpoints)
    except ValueError:
        for checkpoint in checkpoints:
            forget(checkpoint)
        raise
    networks = {name: converted[name] for name in NETWORKS}
    if networks["generator_ba"] is not None:
        fresh = build_without_weights(lambda: [PatchDiscriminator(name=n) for n in NETWORKS[2:]])
        networks |= zip(NETWORKS[2:], fresh, strict=True)
    arguments = {name: keras.saving.serialize_keras_object(net) for name, net in networks.items()}
    config = model_config({**arguments, "image_shape": [256, 256, 3]})
    card = {key: list_presets()[name][key] for key in ON_THE_CARD}
    card["training on"] = "The authors published no discriminators: they start fresh."
    generators = {name: networks[name] for name in NETWORKS[:2]}
    write_folder(folder, config, generators, card, scale=("whole", 256))
    for checkpoint in checkpoints:
        checkpoint.unlink()


def _checkpoint(file, sha256):
    path = cache_folder() / "checkpoints" / f"{file}.pth"
    return fetch(
        ADDRESS.format(file), path, sha256 or None, min_bytes=MIN_BYTES, max_bytes=MAX_BYTES
    )
