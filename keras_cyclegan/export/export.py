"""Exports the generators for runtimes without Keras."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike, check_choice, check_direction, to_install
from keras_cyclegan.export.formats import FORMATS
from keras_cyclegan.files.atomic import atomic_folder
from keras_cyclegan.inference.translate import generator_for, generators_of

WEIGHTS = ("float32", "float16", "int8")


def export(
    model: Any,
    filepath: PathLike,
    format: str = "tf_saved_model",
    direction: str | None = None,
    overwrite: bool = False,
    weights: str = "float32",
) -> None:
    """Write a model's generators for a runtime without Keras.

    `CycleGAN.export` calls it, and describes the formats, the arguments and the errors.

    Args:
        model: `CycleGAN`.
        filepath, format, direction, overwrite, weights: see `CycleGAN.export`.

    Example:

    ```python
    export(model, "sans_to_serif.tflite", format="litert", direction="a_to_b")
    ```
    """
    _check_format(format, weights)
    generators = _generators(model, direction)
    path = Path(filepath)
    _check_name(path, format, generators)
    _check_target(path, format, overwrite)
    _check_requirements(format, weights)
    with atomic_folder(path) as unfinished:
        FORMATS[format].write(generators, unfinished, weights)


# --- what is exported, and to which path ------------------------------------------------------


def _generators(model, direction):
    """Return the generators to export by direction; the first one is served by default."""
    if direction is None:
        return generators_of(model)
    return {check_direction(direction): generator_for(model, direction)}


def _check_name(path, format, generators):
    """Refuse a suffix of another format, or of one file where several are written."""
    for other, known in FORMATS.items():
        if path.suffix.lower() == known.suffix and other != format:
            raise ValueError(
                f"{path} ends as {other!r} does, and the format is {format!r}. Give "
                f"format={other!r}, or another name."
            )
    if path.suffix.lower() != FORMATS[format].suffix or format == "litert":
        return
    folder = f"Give a folder, {str(path.with_suffix(''))!r}, for a file of each endpoint"
    if format == "openvino":
        raise ValueError(f"OpenVINO writes two files for an endpoint, not {path} alone. {folder}.")
    if len(generators) > 1:
        raise ValueError(
            f"An ONNX file holds one graph, and {path} would have to hold both directions. "
            f"{folder}, or choose a direction."
        )


def _check_target(path, format, overwrite):
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists. Choose another path, or replace it with `overwrite=True`."
        )
    if not FORMATS[format].owns(path):
        raise FileExistsError(
            f"{path} isn't an earlier export as {format!r}: `overwrite=True` replaces only earlier "
            "exports. Choose another path."
        )


def _check_format(format, weights):
    if format == "torch":
        raise ValueError(
            "Keras writes format='torch' only when it runs on torch; this package traces its "
            f"exports with TensorFlow. Choose one of {_listed(FORMATS)}: torch's tools read ONNX."
        )
    check_choice("format", format, FORMATS)
    check_choice("weights", weights, WEIGHTS)
    if weights not in FORMATS[format].needs:
        others = [name for name, other in FORMATS.items() if weights in other.needs]
        raise ValueError(
            f"{format!r} has no weights={weights!r}: {FORMATS[format].why_not}. Choose one of "
            f"{_listed(FORMATS[format].needs)}, or one of the formats {_listed(others)}."
        )


def _check_requirements(format, weights):
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Exporting {format!r} traces the generators with TensorFlow; Keras runs on "
            f"{keras.backend.backend()!r}. Save the model, load it in a process with "
            "KERAS_BACKEND=tensorflow, and export there: the weights are the same."
        )
    missing = [name for name in FORMATS[format].needs[weights] if not find_spec(name)]
    if missing:
        raise ImportError(
            f"Exporting {format!r} with weights={weights!r} needs {', '.join(missing)}: "
            f"{to_install(format)}. Or choose another format: 'tf_saved_model', 'litert'."
        )


def _listed(names):
    return ", ".join(repr(name) for name in names)
