"""`config.json`: a model's architecture as data."""

import copy
import inspect

import keras

from keras_cyclegan.files.untrusted import shown
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.presets.trust import check_config, is_own

CYCLEGAN = {
    "module": "keras_cyclegan.cyclegan",
    "class_name": "CycleGAN",
    "registered_name": "keras_cyclegan>CycleGAN",
}
LEFT_OUT = ("name", "dtype", "ema_momentum")


def model_config(model):
    """Return the architecture of a `CycleGAN`, for `build_model`.

    Names, dtypes and compile state are left out: a preset is loaded under the dtype policy of the
    user who loads it. A ValueError names a class that `build_model` would refuse.
    """
    arguments = keras.saving.serialize_keras_object(model)["config"]
    arguments = {name: value for name, value in arguments.items() if name not in LEFT_OUT}
    for network in map(arguments.get, NETWORKS):
        if network is not None:
            network.pop("compile_config", None)
            if is_own(network):
                network["config"].pop("dtype", None)
    config = {**CYCLEGAN, "config": arguments}
    check_config(config)
    return config


def build_model(cls, config, overrides):
    """Build the model that `config` describes, with fresh weights.

    `overrides` are arguments of `cls` that replace those of `config`; `dtype` is given to every
    network as well. A stranger's config is checked first: a ValueError refuses what isn't that of a
    CycleGAN, or names a class that is neither this package's nor Keras's.
    """
    check_config(config)
    if config.get("registered_name") != CYCLEGAN["registered_name"]:
        raise ValueError(
            f"Expected the config of a CycleGAN. Received that of "
            f"{shown(config.get('class_name'))}."
        )
    arguments = {name: value for name, value in config["config"].items() if name != "dtype"}
    for name in NETWORKS:
        network = arguments.get(name)
        if name in overrides or (network is None and name != "generator_ab"):
            arguments[name] = None
        else:
            arguments[name] = _build_network(name, network, overrides.get("dtype"))
    return cls(**{**arguments, **overrides})


def check_overrides(cls, overrides):
    """Raise a ValueError for unknown arguments of `cls`, before anything is downloaded."""
    known = {*inspect.signature(cls.__init__).parameters} - {"self", "kwargs"}
    if unknown := {*overrides} - known:
        raise ValueError(
            f"A preset can't be loaded with {', '.join(unknown)}. Expected: load_weights, "
            f"{', '.join(sorted(known))}."
        )
    keras.dtype_policies.get(overrides.get("dtype"))  # raises for an unknown policy


def _build_network(name, config, dtype):
    if isinstance(config, dict) and is_own(config):
        config = {**config, "config": {**config["config"], "dtype": dtype}}
    elif dtype is not None:
        raise ValueError(f"`dtype` can't reach inside {name}, which has a dtype for each layer.")
    # A copy, because Keras changes a functional model's config.
    network = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    if not isinstance(network, keras.Model):
        raise ValueError(f"{name} must be a model. Received a {type(network).__name__}.")
    return network
