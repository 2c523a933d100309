"""The authors' published generators: downloaded once, converted once, then a preset folder."""

from keras_cyclegan.files.download import cache_folder, fetch, forget, locked, verify
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.networks.size_limits import build_without_weights
from keras_cyclegan.presets.config import config_of
from keras_cyclegan.presets.convert import convert_checkpoints
from keras_cyclegan.presets.folder import GENERATORS, write_folder
from keras_cyclegan.presets.table import ADDRESS, PUBLISHED, RESNET_9_PARAMETERS, list_presets

# Torch's framing and the running statistics of old files take less than a tenth of a megabyte.
MIN_BYTES = 4 * RESNET_9_PARAMETERS
MAX_BYTES = MIN_BYTES + 2**20


def published_folder(name):
    """Return the preset folder of a published model; make it at first use.

    Checkpoints must have the SHA-256 of the table, or where it has none that of the first
    download; the converted weights must stay what they are.

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


def published_config(name, **generators):
    """Return the preset's `config.json`, of these generators or without a download."""
    is_two_way = len(PUBLISHED[name].files) == 2

    def build():
        networks = {"generator_ab": ResNetGenerator(name="generator_ab")}
        if is_two_way:
            networks["generator_ba"] = ResNetGenerator(name="generator_ba")
            for name in ("discriminator_a", "discriminator_b"):
                networks[name] = PatchDiscriminator(name=name)
        return networks

    return config_of(build_without_weights(build) | generators, (256, 256, 3))


def _convert(name, folder):
    checkpoints = [_checkpoint(*item) for item in PUBLISHED[name].files.items()]
    try:
        networks = convert_checkpoints(*checkpoints)
    except ValueError:
        for checkpoint in checkpoints:
            forget(checkpoint)
        raise
    names = ("generator_ab", "generator_ba")[: len(checkpoints)]
    generators = {name: networks[name] for name in names}
    config = published_config(name, **generators)
    write_folder(folder, config, generators, _card(name), scale=("whole", 256))
    for checkpoint in checkpoints:
        checkpoint.unlink()


def _checkpoint(file, sha256):
    path = cache_folder() / "checkpoints" / f"{file}.pth"
    return fetch(ADDRESS.format(file), path, sha256, min_bytes=MIN_BYTES, max_bytes=MAX_BYTES)


def _card(name):
    facts = list_presets()[name]
    shown = ("description", "origin", "code_licence", "data_licence", "recipe")
    return {key: facts[key] for key in shown} | {
        "training on": "The authors published no discriminators: they start fresh."
    }
