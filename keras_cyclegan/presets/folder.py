"""The preset folder, in keras-hub's format: written whole or not at all, and checked when read."""

import contextlib
import datetime
import json
import os
from pathlib import Path

import keras

from keras_cyclegan.files.atomic import atomic_file, recover
from keras_cyclegan.files.untrusted import brief
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.networks.size_limits import (
    MAX_FRESH_WEIGHTS,
    build_without_weights,
    check_weights,
)
from keras_cyclegan.presets.card import model_card
from keras_cyclegan.presets.config import build_model, model_config
from keras_cyclegan.presets.trust import preset_file, read_json
from keras_cyclegan.presets.weights import assign_weights, read_weights, write_weights

CONFIG = "config.json"
METADATA = "metadata.json"
GENERATORS = "model.weights.h5"
DISCRIMINATORS = "discriminators.weights.h5"
CARD = "README.md"
FILES = (CONFIG, METADATA, GENERATORS, DISCRIMINATORS, CARD)


def save_folder(model, folder, card, half_precision, discriminators):
    """Do what `CycleGAN.save_to_preset` says."""
    import keras_cyclegan

    folder = Path(folder).expanduser().absolute()
    _check_replaceable(folder)
    config = model_config(model)
    # The generators are their averages, if there are any.
    generators = zip(NETWORKS[:2], model.generators(), strict=True)
    generators = {name: network for name, network in generators if network is not None}
    judges = model.networks_of("discriminators") if discriminators else {}
    metadata = {
        "keras_version": keras.__version__,
        "keras_cyclegan_version": keras_cyclegan.__version__,
        "parameter_count": sum(network.count_params() for network in generators.values()),
        "date_saved": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d@%H:%M:%S"),
        "storage_dtype": "float16" if half_precision else "float32",
        "scale": model.scale,
        "working_size": model.working_size,
        "card": dict(card or {}),
    }
    with atomic_file(folder) as unfinished:
        unfinished.mkdir()
        _write_json(unfinished / CONFIG, config)
        _write_json(unfinished / METADATA, metadata)
        write_weights(unfinished / GENERATORS, generators, half_precision)
        if judges:
            write_weights(unfinished / DISCRIMINATORS, judges, half_precision)
        text = model_card(folder.name, generators, model.image_shape, metadata)
        (unfinished / CARD).write_text(text, encoding="utf-8")


def local_preset(folder):
    """Return the folder of a preset: `folder`, or the one that a training run keeps in it."""
    folder = Path(folder).expanduser()
    recover(folder)
    if folder.is_dir() and not os.path.lexists(folder / GENERATORS):
        recover(folder / "preset", patience=0)
        if (folder / "preset" / CONFIG).is_file():
            return folder / "preset"
    return folder


def load_folder(cls, folder, load_weights=True, overrides=None, root=None):
    """Load the model of a preset folder, which is checked as if an attacker had written it.

    `cls` is `CycleGAN`, a subclass, or anything else that takes its arguments, `overrides` are
    arguments that replace the preset's: a network among them keeps its own weights. Discriminators
    without stored weights get fresh ones. Links in the preset may not leave `root`, by default its
    folder. A FileNotFoundError or ValueError names the file that is missing, damaged or refused.
    """
    folder, overrides = local_preset(folder), overrides or {}
    root = Path(root or folder)
    for file in (GENERATORS, DISCRIMINATORS):
        if os.path.lexists(folder / file):
            preset_file(folder, file, root)  # a bad link is refused before anything is built
    config = read_json(preset_file(folder, CONFIG, root))
    with _named(folder / CONFIG):
        described = _networks(build_without_weights(lambda: build_model(cls, config, overrides)))
        check_weights(described.values())
    stored = {name: network for name, network in described.items() if name not in overrides}
    weights = {}
    for file, names in ((GENERATORS, NETWORKS[:2]), (DISCRIMINATORS, NETWORKS[2:])):
        wanted = {name: stored[name] for name in names if name in stored}
        absent = file == DISCRIMINATORS and not os.path.lexists(folder / file)
        if load_weights and wanted and not absent:
            weights |= read_weights(preset_file(folder, file, root), wanted, skip=overrides)
    found = {name.partition(".")[0] for name in weights}
    with _named(folder / CONFIG, "can't be used without weights"):
        fresh = [network for name, network in stored.items() if name not in found]
        check_weights(fresh, MAX_FRESH_WEIGHTS)
    model = build_model(cls, config, overrides)
    assign_weights(_networks(model), weights)
    if hasattr(model, "set_scale") and os.path.lexists(folder / METADATA):
        metadata = read_json(preset_file(folder, METADATA, root))
        with _named(folder / METADATA):
            model.set_scale(metadata.get("scale"), metadata.get("working_size"))
    return model


@contextlib.contextmanager
def _named(path, said="can't be used"):
    """Name the file in an error: Keras can raise nearly anything on a stranger's config."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path} {said}: {brief(error)}") from error


def _networks(model):
    named = {name: getattr(model, name) for name in NETWORKS}
    return {name: network for name, network in named.items() if network is not None}


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _check_replaceable(folder):
    if not folder.exists():
        return
    others = ["a file"] if not folder.is_dir() else sorted({*os.listdir(folder)} - {*FILES})
    if others:
        raise ValueError(
            f"{folder} would be replaced, but it holds more than a preset: {others[:5]}. Give a "
            "new folder."
        )
