"""`config.json`: a model's architecture as data, and the classes that it may name."""

import copy
import inspect
import sys

import keras

from keras_cyclegan.files.messages import shown
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.presets.shapes_only import MOST_LAYERS, check_counts

KERAS_KINDS = (
    keras.Operation,  # layers, models and what `keras.ops` leaves in a functional model
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.DTypePolicy,
)
# Layers that run code, or read files, which a config names.
REFUSED_LAYERS = tuple(
    getattr(keras.layers, name)
    for name in (
        "Lambda",
        "TFSMLayer",
        "TorchModuleWrapper",
        "JaxLayer",
        "FlaxLayer",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
    )
)
DEEPEST = 64  # levels of nested lists and dicts in a config; a model in a model takes four
LAYERS = ("keras.layers", "keras.src.ops", "keras_cyclegan.layers")
SEQUENTIAL = "keras_cyclegan preset>Sequential"
MOST_EARLY = 64  # layers that may come before a layer that they use
PLAIN_OBJECTS = ("__keras_tensor__", "__slice__", "__ellipsis__")


def model_config(model):
    """Return the architecture of `model` without its training, for `build_model`.

    Names, dtypes and compile state are left out: a preset is loaded under the dtype policy of the
    user who loads it, whatever it was trained in.

    Raises:
        ValueError: a network has a class that `build_model` would refuse.
    """
    serialized = keras.saving.serialize_keras_object(model)
    left_out = ("name", "dtype", "ema_momentum")
    serialized = {key: serialized[key] for key in ("module", "class_name", "registered_name")} | {
        "config": {k: v for k, v in serialized["config"].items() if k not in left_out}
    }
    for name in NETWORKS:
        network = serialized["config"][name]
        if network is not None:
            network.pop("compile_config", None)
            if is_own(network):
                network["config"].pop("dtype", None)
    check_config(serialized)
    return serialized


def build_model(cls, config, overrides):
    """Build the model that `config` describes, with fresh weights.

    Args:
        cls: `CycleGAN` or a subclass.
        config: what `model_config` returned. It may come from a stranger, and is checked first.
        overrides: dict of arguments of `cls` that replace those of `config`. `dtype` is given to
            every network as well.

    Returns:
        An instance of `cls`.

    Raises:
        ValueError: `config` names a class that is neither this package's nor Keras's, or isn't
            that of a CycleGAN.
    """
    check_config(config)
    if config.get("registered_name") != "keras_cyclegan>CycleGAN":
        raise ValueError(
            f"Expected the config of a CycleGAN. Received that of "
            f"{shown(config.get('class_name'))}."
        )
    arguments = {name: value for name, value in config["config"].items() if name != "dtype"}
    for name in NETWORKS:
        network = arguments.get(name)
        if name in overrides or (network is None and name != "generator_ab"):
            arguments[name] = None
            continue
        arguments[name] = _build_network(name, network, overrides.get("dtype"))
    return cls(**{**arguments, **overrides})


def check_overrides(cls, overrides):
    """Raise a ValueError for unknown arguments of `cls`, before anything is downloaded."""
    known = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
    unknown = [name for name in overrides if name not in known or name == "kwargs"]
    if unknown:
        raise ValueError(
            f"A preset can't be loaded with {', '.join(unknown)}. Expected: load_weights, "
            f"{', '.join(name for name in known if name != 'kwargs')}."
        )
    keras.dtype_policies.get(overrides.get("dtype"))  # raises for an unknown policy


def _build_network(name, config, dtype):
    if isinstance(config, dict) and is_own(config):
        config = {**config, "config": {**config["config"], "dtype": dtype}}
    elif dtype is not None:
        raise ValueError(f"`dtype` can't reach inside {name}, which has a dtype for each layer.")
    config = copy.deepcopy(config)  # Keras changes a functional model's config
    for value, _ in _parts(config):
        if isinstance(value, dict) and value.get("class_name") == "Sequential":
            value["registered_name"] = SEQUENTIAL
    with keras.saving.custom_object_scope({SEQUENTIAL: _Sequential}):
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(network, keras.Model):
        raise ValueError(f"{name} must be a model. Received a {type(network).__name__}.")
    return network


class _Sequential:
    """Makes a `keras.Sequential` from its config, with all layers at once.

    Keras adds one layer after the other and builds the whole model again each time, which takes
    100 s for 1,000 layers.
    """

    @staticmethod
    def from_config(config, custom_objects=None):
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        model = keras.Sequential(layers, name=config["name"])
        if not model.built and config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        return model


def check_config(config):
    """Raise a ValueError for a config with other classes than those of this package and Keras.

    It may also not have more layers or levels than a model needs.
    """
    layers = 0
    for value, depth in _parts(config):
        is_object = isinstance(value, dict) and "class_name" in value
        if is_object and value["class_name"] not in PLAIN_OBJECTS:
            layers += str(value.get("module")).startswith(LAYERS)
            _check_class(value)
            _check_order(value)
        elif isinstance(value, str):
            # Keras may replace a string by the object that is registered under it.
            found = keras.saving.get_registered_object(value)
            if found is not None and not _is_package_class(found):
                raise ValueError(f"A preset's config may not name {shown(value)}, a custom object.")
        if depth > DEEPEST or layers > MOST_LAYERS:
            raise ValueError(
                f"A preset's config may name {MOST_LAYERS} layers, {DEEPEST} levels deep. This one "
                "has more."
            )


def _parts(config):
    """Yield all parts of a config, each with its depth; a part may be changed after it came."""
    unseen = [(config, 1)]
    while unseen:
        value, depth = unseen.pop()
        yield value, depth
        if isinstance(value, dict | list | tuple):
            inner = value.values() if isinstance(value, dict) else value
            unseen += [(part, depth + 1) for part in inner]


def is_own(config):
    """Return whether a serialized object is of this package."""
    return str(config.get("registered_name")).startswith("keras_cyclegan>")


def _check_class(config):
    module, name = config.get("module"), config["class_name"]
    registered = config.get("registered_name")
    if is_own(config):
        found = keras.saving.get_registered_object(registered)
        allowed = _is_package_class(found) and found.__name__ == name
        if isinstance(config.get("config"), dict):
            check_counts(name, config["config"])
    else:
        found = _keras_class(module, name)
        allowed = (
            isinstance(found, type)
            and issubclass(found, KERAS_KINDS)
            and not issubclass(found, REFUSED_LAYERS)
        )
    if not allowed:
        raise ValueError(
            "A preset's config may only name classes of keras_cyclegan and Keras that hold no "
            f"code and read no file. Received class_name={shown(name)}, module={shown(module)}, "
            f"registered_name={shown(registered)}."
        )


def _check_order(config):
    """Refuse layers that come before those that they use, which Keras hardly ever writes.

    For each such layer Keras goes through all layers again. Only layers that are called twice are
    written so.
    """
    layers = config["config"].get("layers") if isinstance(config.get("config"), dict) else None
    seen, early = set(), 0
    for layer in layers if isinstance(layers, list) else ():
        name = layer.get("name")
        for node in layer.get("inbound_nodes") or ():
            early += any(used not in seen for used in _histories(node))
        seen.add(name)
    if early > MOST_EARLY:
        raise ValueError(f"{early} layers of a preset's config come before those that they use.")


def _histories(node):
    """Yield the names of the layers whose outputs a call takes, as in `["conv1", 0, 0]`."""
    for part, _ in _parts(node):
        if isinstance(part, list) and len(part) > 2 and isinstance(part[0], str):
            yield part[0]


def _is_package_class(found):
    return isinstance(found, type) and found.__module__.split(".")[0] == "keras_cyclegan"


def _keras_class(module, name):
    """Find the class that Keras would take, without importing anything."""
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    # Functional models, and operations of `keras.ops` in them, name these modules.
    if module == "keras.src.models.functional" or module.startswith("keras.src.ops."):
        return getattr(sys.modules.get(module), name, None)
    if module.startswith("keras.src"):
        return None
    package, *parts = module.split(".")
    found = keras if package == "keras" else None
    for part in [*parts, name]:
        found = getattr(found, part, None)
    return found
