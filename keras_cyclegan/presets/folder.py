"""The preset folder, in keras-hub's format: written whole or not at all, and checked when read."""

import contextlib
import contextvars
import copy
import datetime
import json
import os
import re
from pathlib import Path

import keras

from keras_cyclegan.files.atomic import atomic_file, recover
from keras_cyclegan.files.untrusted import brief, shown
from keras_cyclegan.networks import size_limits
from keras_cyclegan.networks.base import weights_follow
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.presets.card import model_card
from keras_cyclegan.presets.trust import check_config, is_own, preset_file, read_json
from keras_cyclegan.presets.weights import assign_weights, read_weights, write_weights

CONFIG = "config.json"
METADATA = "metadata.json"
GENERATORS = "model.weights.h5"
DISCRIMINATORS = "discriminators.weights.h5"
CARD = "README.md"
FILES = (CONFIG, METADATA, GENERATORS, DISCRIMINATORS, CARD)
REGISTERED = "keras_cyclegan>CycleGAN"
LEFT_OUT = ("name", "dtype", "ema_momentum")
NUMBERS = re.compile(r"\[\n[^][{}\"]+\]")  # JSON with an indent writes each of a list in a line


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
        "doubt": dict(model.doubt) if discriminators else {},  # it may need them
        "card": dict(card or {}),
    }
    with atomic_file(folder) as unfinished:
        unfinished.mkdir()
        for name, content in ((CONFIG, config), (METADATA, metadata)):
            text = json.dumps(content, indent=2) + "\n"
            text = NUMBERS.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
            (unfinished / name).write_text(text, encoding="utf-8")
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

    `cls` is anything that takes the arguments of `CycleGAN`. Links in the preset may not leave
    `root`, by default its folder.
    """
    folder, overrides = local_preset(folder), overrides or {}
    root = Path(root or folder)
    for file in (GENERATORS, DISCRIMINATORS):
        if os.path.lexists(folder / file):
            preset_file(folder, file, root)  # a bad link is refused before anything is built
    config = read_json(preset_file(folder, CONFIG, root))
    with _named(folder / CONFIG):
        described = size_limits.build_without_weights(lambda: build_model(cls, config, overrides))
        described = _networks(described)
        size_limits.check_weights(described.values())
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
        size_limits.check_weights(fresh, size_limits.MAX_FRESH_WEIGHTS)
    model = build_model(cls, config, overrides, stored=found)
    assign_weights(_networks(model), weights)
    if hasattr(model, "set_scale") and os.path.lexists(folder / METADATA):
        metadata = read_json(preset_file(folder, METADATA, root))
        with _named(folder / METADATA):
            model.set_scale(metadata.get("scale"), metadata.get("working_size"))
            model.set_doubt(metadata.get("doubt"))
    return model


@contextlib.contextmanager
def _named(path, said="can't be used"):
    """Name the file in an error: Keras can raise nearly anything on a stranger's config."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{path} {said}: {brief(error)}") from error


def _networks(model):
    return {name: getattr(model, name) for name in NETWORKS if getattr(model, name) is not None}


def _check_replaceable(folder):
    if not folder.exists():
        return
    others = ["a file"] if not folder.is_dir() else sorted({*os.listdir(folder)} - {*FILES})
    if others:
        raise ValueError(f"{folder} holds more than a preset, {others[:5]}: it isn't replaced.")


# --- config.json ---------------------------------------------------------------------------------


def model_config(model):
    """Return the architecture of a `CycleGAN`, for `build_model`, if that takes all its classes.

    Names, dtypes and compile state are left out: a preset is loaded under its user's dtype policy.
    """
    arguments = keras.saving.serialize_keras_object(model)["config"]
    arguments = {name: value for name, value in arguments.items() if name not in LEFT_OUT}
    for network in map(arguments.get, NETWORKS):
        if network is not None:
            network.pop("compile_config", None)
            if is_own(network):
                network["config"].pop("dtype", None)
    config = {
        "module": "keras_cyclegan.cyclegan",
        "class_name": "CycleGAN",
        "registered_name": REGISTERED,
        "config": arguments,
    }
    check_config(config)
    return config


def build_model(cls, config, overrides, stored=()):
    """Build the model that a stranger's `config` describes, with fresh weights.

    `overrides` are arguments of `cls` in place of those of `config`; every network has its `dtype`.
    Networks that are `stored` may have any weights: those of a file follow.
    """
    check_config(config)
    if config.get("registered_name") != REGISTERED:
        found = shown(config.get("class_name"))
        raise ValueError(f"Expected the config of a CycleGAN. Received that of {found}.")
    arguments = {name: value for name, value in config["config"].items() if name != "dtype"}
    for name in NETWORKS:
        network = arguments.get(name)
        if name in overrides or (network is None and name != "generator_ab"):
            arguments[name] = None
        else:
            options = name, network, overrides.get("dtype"), name in stored
            arguments[name] = contextvars.copy_context().run(_build_network, *options)
    return cls(**{**arguments, **overrides})


def _build_network(name, config, dtype, stored):
    weights_follow.set(stored)
    if isinstance(config, dict) and is_own(config):
        config = {**config, "config": {**config["config"], "dtype": dtype}}
    elif dtype is not None:
        raise ValueError(f"`dtype` can't reach inside {name}, which has a dtype for each layer.")
    # A copy, because Keras changes a functional model's config.
    network = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    if not isinstance(network, keras.Model):
        raise ValueError(f"{name} must be a model. Received a {type(network).__name__}.")
    return network
