"""The generators alone, for runtimes without Keras."""

from importlib.util import find_spec
from pathlib import Path

import keras

from keras_cyclegan.arguments import check_choice, check_direction
from keras_cyclegan.export.formats import FORMATS
from keras_cyclegan.files.atomic import whole_folder
from keras_cyclegan.inference.translate import generator_for, generators_of

WEIGHTS = ("float32", "float16", "int8")


def export(
    model,
    filepath,
    format="tf_saved_model",
    direction=None,
    overwrite=False,
    weights="float32",
):
    """Writes the generators, with their pre- and post-processing, for a runtime without Keras.

    The artefact takes any batch, height and width: sizes that a generator doesn't take are
    reflected out and cropped back inside the graph, as `translate` does. It holds the generators
    and nothing else, and is written whole or not at all. Its endpoints:

    - `a_to_b`, `b_to_a`: uint8 images `(n, height, width, channels)` in and out;
    - `a_to_b_float`, `b_to_a_float`: float32 images in [-1, 1] in and out.

    Each names its input `images` and its output `output_0`. By format:

    - `"tf_saved_model"`: a folder, for TensorFlow alone and TensorFlow Serving. An endpoint is a
      method and a signature; the signature `serving_default` is the first of them.
    - `"onnx"`: a folder with one file for each endpoint, `a_to_b.onnx` and so on, because an ONNX
      file holds one graph. Needs the extra `onnx`.
    - `"litert"`: one file, for LiteRT (TensorFlow Lite), with a signature for each endpoint.
    - `"openvino"`: a folder with two files for each endpoint, `a_to_b.xml` and `a_to_b.bin`. Needs
      the extra `openvino`. Its runtime computes in bfloat16 where the processor can: compile the
      model with `{"INFERENCE_PRECISION_HINT": "f32"}` for `translate`'s own pixels.

    Smaller weights make smaller files: `"float16"` halves them and changes pixels hardly more than
    rounding does; `"int8"` leaves a third, costs some grey levels, and computes with integers.
    `benchmarks/README.md` has both measured.

    An artefact has no tiles: it needs the memory of the whole image, because its instance norms
    take the statistics of the image that it is given, and the same image in parts would change
    colour from part to part. Translate what doesn't fit with `translate(tile=…)`.

    Args:
        model: `CycleGAN`.
        filepath: folder or file to write.
        format: `"tf_saved_model"`, `"onnx"`, `"litert"` or `"openvino"`.
        direction: `"a_to_b"` or `"b_to_a"` for one generator. None exports all that the model has.
        overwrite: bool. Whether to replace an earlier artefact of this format at `filepath`.
        weights: `"float32"`, `"float16"` or `"int8"`. A SavedModel has the first alone, OpenVINO
            the first two.

    Raises:
        FileExistsError: `filepath` exists and `overwrite` is False, or it is something else.
        ImportError: a package that the format needs is not installed.
        ValueError: an unknown format, a direction that the model has no generator for, or weights
            that the format doesn't have.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    ```python
    model.export("served")
    served = tf.saved_model.load("served")  # in a process without this package
    zebras = served.a_to_b(horses)  # uint8 in, uint8 out

    model.export("zebra.tflite", format="litert", direction="a_to_b")
    interpreter = ai_edge_litert.interpreter.Interpreter("zebra.tflite")
    zebras = interpreter.get_signature_runner("a_to_b")(images=horses)["output_0"]
    ```
    """
    _check_format(format, weights)
    generators = _generators(model, direction)
    path = Path(filepath)
    _check_target(path, format, overwrite)
    _check_requirements(format, weights)
    with whole_folder(path) as unfinished:
        FORMATS[format].write(generators, unfinished, weights)


# --- what is exported, and where to ------------------------------------------------------------


def _generators(model, direction):
    """The generators to export, by direction; the first one is served by default."""
    if direction is None:
        return generators_of(model)
    return {check_direction(direction): generator_for(model, direction)}


def _check_target(path, format, overwrite):
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists. Choose another path, or replace it with `overwrite=True`."
        )
    if not FORMATS[format].owns(path):
        raise FileExistsError(
            f"{path} is no earlier export as {format!r}: `overwrite=True` replaces nothing else. "
            "Choose another path."
        )


def _check_format(format, weights):
    if format == "torch":
        raise ValueError(
            "Keras writes format='torch' only when it runs on torch, where this package doesn't "
            f"train or translate yet. Choose one of {_listed(FORMATS)}: torch's tools read ONNX."
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
            f"`pip install keras-cyclegan[{format}]`, or choose another format: "
            "'tf_saved_model', 'litert'."
        )


def _listed(names):
    return ", ".join(repr(name) for name in names)
