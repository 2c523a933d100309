"""What SECURITY.md promises of presets: what a stranger's config, links and JSON may hold."""

import json
import sys

import keras

from keras_cyclegan.files.untrusted import brief, shown
from keras_cyclegan.networks.size_limits import check_counts

MAX_JSON = 10 * 2**20  # bytes
MAX_LAYERS = 1000  # that a config names
MAX_DEPTH = 64  # levels of nested lists and dicts in a config; a model in a model takes four
MAX_EARLY = 64  # layers before one that they use; Keras writes so those that are called twice
MAX_SEQUENTIAL = 100  # layers: Keras builds the whole model again for each
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
        *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
        *("StringLookup", "IntegerLookup", "TextVectorization"),
    )
)
LAYERS = ("keras.layers", "keras.src.ops", "keras_cyclegan.layers")
PLAIN_OBJECTS = ("__keras_tensor__", "__slice__", "__ellipsis__")


def preset_file(folder, name, root):
    """Return the path of a preset's file, which must be inside of `root`, links followed."""
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} isn't a complete preset: it has no {name}. Expected a folder that "
            "`CycleGAN.save_to_preset` wrote."
        )
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path} is a link that leaves the preset, to {path.resolve()}.")
    return path


def read_json(path):
    """Read a JSON file that holds one object; raise a ValueError for anything else."""
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; {MAX_JSON} are allowed.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is no JSON file: its objects are nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {brief(error)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold one JSON object, not a {type(content).__name__}.")
    return content


def check_config(config):
    """Raise a ValueError for other classes than Keras's and this package's, or too many layers."""
    layers = 0
    for value, depth in parts(config):
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
        if depth > MAX_DEPTH or layers > MAX_LAYERS:
            raise ValueError(
                f"A preset's config may name {MAX_LAYERS} layers, {MAX_DEPTH} levels deep. This "
                "has more."
            )


def parts(config):
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
        allowed = isinstance(found, type) and issubclass(found, KERAS_KINDS)
        allowed = allowed and not issubclass(found, REFUSED_LAYERS)
    if not allowed:
        raise ValueError(
            "A preset's config may only name classes of keras_cyclegan and Keras that hold no "
            f"code and read no file. Received class_name={shown(name)}, module={shown(module)}, "
            f"registered_name={shown(registered)}."
        )


def _check_order(config):
    """Refuse layers before those that they use: for each, Keras goes through all layers again."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    layers = layers if isinstance(layers, list) else []
    if config["class_name"] == "Sequential" and len(layers) > MAX_SEQUENTIAL:
        raise ValueError(
            f"A preset's config may name {MAX_SEQUENTIAL} layers in a Sequential model. Received "
            f"{len(layers)}: make a functional model of them."
        )
    seen, early = set(), 0
    for layer in layers:
        used = {
            part[0]  # of `["conv1", 0, 0]`, the output that a call takes
            for part, _ in parts(layer.get("inbound_nodes"))
            if isinstance(part, list) and len(part) > 2 and isinstance(part[0], str)
        }
        early += not used <= seen
        seen.add(layer.get("name"))
    if early > MAX_EARLY:
        raise ValueError(f"{early} layers of a preset's config come before those that they use.")


def _is_package_class(found):
    return isinstance(found, type) and found.__module__.split(".")[0] == "keras_cyclegan"


def _keras_class(module, name):
    """Find the class that Keras would take, without importing anything."""
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    # Functional models, and operations of `keras.ops` in them, name these modules.
    if module == "keras.src.models.functional" or module.startswith("keras.src.ops."):
        return getattr(sys.modules.get(module), name, None)
    package, *inner = module.split(".")
    found = keras if package == "keras" and "src" not in inner else None
    for part in [*inner, name]:
        found = getattr(found, part, None)
    return found
