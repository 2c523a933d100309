"""The built-in presets: those that ship in the package and the authors' published generators."""

import tomllib
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.files.download import cache_folder, fetch, forget
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.presets.convert import convert_checkpoints
from keras_cyclegan.presets.folder import CONFIG, FILES, METADATA
from keras_cyclegan.presets.trust import read_json

HERE = Path(__file__).parent
SHIPPED = HERE / "shipped"
DIRECTIONS = ("a_to_b", "a_to_b and b_to_a")  # of one generator, and of two
RESNET_9_PARAMETERS = 11_378_179
ADDRESS = "http://efrosgans.eecs.berkeley.edu/cyclegan/pretrained_models/{}.pth"
PUBLISHED = tomllib.loads((HERE / "published.toml").read_text("utf-8"))


def list_presets() -> dict[str, dict[str, Any]]:
    """List the built-in presets: first those in the package, then the authors' published ones.

    Each name has a dict: `description`, `direction`, `architecture`, `native_size` (`(height,
    width)` of its training images), `parameters` of the generators, `bytes`, `origin`,
    `code_licence`, `data_licence`, `recipe` of its training, and `ships`: whether the weights are
    in the package, or downloaded at first use.
    """
    shipped = {folder.name: _shipped_facts(folder) for folder in shipped_folders()}
    return shipped | {name: _published_facts(name) for name in PUBLISHED}


def shipped_folders():
    """Return the preset folders in the package; a folder put there becomes a preset."""
    return sorted(path.parent for path in SHIPPED.glob(f"*/{CONFIG}"))


def _shipped_facts(folder):
    config, metadata = read_json(folder / CONFIG)["config"], read_json(folder / METADATA)
    network = config["generator_ab"]
    architecture = [network["class_name"]]
    for key, text in (("num_blocks", "{} blocks"), ("filters", "width {}")):
        if network["config"].get(key) is not None:
            architecture.append(text.format(network["config"][key]))
    said = dict.fromkeys(("description", "data_licence", "recipe"), "not stated")
    said |= {"origin": "trained with keras-cyclegan", "code_licence": "Apache-2.0"}
    return {
        **{name: metadata["card"].get(name, default) for name, default in said.items()},
        "direction": DIRECTIONS[config["generator_ba"] is not None],
        "architecture": ", ".join(architecture),
        "native_size": tuple(config["image_shape"][:2]),
        "parameters": metadata["parameter_count"],
        "bytes": sum((folder / name).stat().st_size for name in FILES if (folder / name).exists()),
        "ships": True,
    }


def _published_facts(name):
    published = PUBLISHED[name]
    count = len(published["files"])
    return {
        "description": f"A: {published['a']}; B: {published['b']}. By the authors of CycleGAN.",
        "direction": DIRECTIONS[count == 2],
        "architecture": "ResNetGenerator, 9 blocks, width 64",
        "native_size": (256, 256),
        "parameters": count * RESNET_9_PARAMETERS,
        "bytes": count * RESNET_9_PARAMETERS * 4,
        "origin": " and ".join(ADDRESS.format(file) for file in published["files"]),
        "code_licence": "BSD (junyanz/pytorch-CycleGAN-and-pix2pix); none stated for the weights",
        "data_licence": published["data_licence"],
        "recipe": "the authors': Zhu et al. 2017, section 7.1 and appendix, 256×256",
        "ships": False,
    }


def load_published(cls, name, load_weights, overrides):
    """Load a published model, downloaded at first use; its discriminators, if any, are fresh."""
    is_two_way = len(PUBLISHED[name]["files"]) == 2
    networks = {} if is_two_way else dict.fromkeys(NETWORKS[1:])
    policy = keras.config.dtype_policy()
    if load_weights:
        keras.config.set_dtype_policy(overrides.get("dtype") or policy)
        try:
            networks = _published_networks(name)
        finally:
            keras.config.set_dtype_policy(policy)
    model = cls(**{**networks, **overrides})  # fresh ones are the paper's
    model.set_scale("whole", 256)
    return model


def _published_networks(name):
    folder = cache_folder() / "checkpoints"
    paths = [
        fetch(ADDRESS.format(file), folder / f"{file}.pth", sha256 or None)
        for file, sha256 in PUBLISHED[name]["files"].items()
    ]
    try:
        return convert_checkpoints(*paths)
    except ValueError:  # it may be another page: don't keep it in place of the file
        for path in paths:
            forget(path)
        raise
