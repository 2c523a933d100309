"""The generators alone, for runtimes without Keras."""

import importlib.util
from pathlib import Path

import keras

from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference.sizes import call_at_any_size, size_rule
from keras_cyclegan.inference.translate import DIRECTIONS, generator_for
from keras_cyclegan.networks.building_blocks import check_choice
from keras_cyclegan.whole import whole_folder

FORMATS = ("tf_saved_model", "onnx", "litert")


def export(model, filepath, format="tf_saved_model", direction=None, overwrite=False):
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

    Args:
        model: `CycleGAN`.
        filepath: folder or file to write.
        format: `"tf_saved_model"`, `"onnx"` or `"litert"`.
        direction: `"a_to_b"` or `"b_to_a"` for one generator. None exports all that the model has.
        overwrite: bool. Whether to replace an earlier artefact of this format at `filepath`.

    Raises:
        FileExistsError: `filepath` exists and `overwrite` is False, or it is something else.
        ImportError: a package that the format needs is not installed.
        ValueError: an unknown format, or a direction that the model has no generator for.
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
    check_choice("format", format, FORMATS)
    generators = _generators(model, direction)
    path = Path(filepath)
    _check_target(path, format, overwrite)
    _check_requirements(format)
    write = {
        "tf_saved_model": _write_saved_model,
        "onnx": _write_onnx,
        "litert": _write_litert,
    }[format]
    with whole_folder(path) as unfinished:
        write(generators, unfinished)


# --- what is exported, and where to ------------------------------------------------------------


def _generators(model, direction):
    """The generators to export, by direction; the first one is served by default."""
    if direction is not None:
        return {direction: generator_for(model, direction)}
    both = zip(DIRECTIONS, model.generators(), strict=True)
    return {direction: generator for direction, generator in both if generator is not None}


def _check_target(path, format, overwrite):
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists. Choose another path, or replace it with `overwrite=True`."
        )
    replaceable = {
        "tf_saved_model": (path / "saved_model.pb").exists(),
        "onnx": path.is_dir() and all(file.suffix == ".onnx" for file in path.iterdir()),
        "litert": path.is_file(),
    }
    if not replaceable[format]:
        raise FileExistsError(
            f"{path} is no earlier export as {format!r}: `overwrite=True` replaces nothing else. "
            "Choose another path."
        )


def _check_requirements(format):
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Exporting {format!r} traces the generators with TensorFlow; Keras runs on "
            f"{keras.backend.backend()!r}. Save the model, load it in a process with "
            "KERAS_BACKEND=tensorflow, and export there: the weights are the same."
        )
    if format == "onnx" and not importlib.util.find_spec("tf2onnx"):
        raise ImportError(
            "Exporting to ONNX needs tf2onnx: `pip install keras-cyclegan[onnx]`, or choose "
            "another format: 'tf_saved_model', 'litert'."
        )


# --- endpoints ---------------------------------------------------------------------------------


def _endpoints(generators):
    """Each endpoint's name, its function of a batch, and the specification of the batch."""
    import tensorflow as tf

    for direction, generator in generators.items():
        size_rule(generator)  # outside of the graph
        shape = (None, *generator.input_shape[1:])
        of_pixels, of_floats = _functions(generator)
        yield direction, of_pixels, [tf.TensorSpec(shape, "uint8", "images")]
        yield f"{direction}_float", of_floats, [tf.TensorSpec(shape, "float32", "images")]


def _functions(generator):
    """Functions of a batch of pixels, and of a batch of floats."""

    def of_floats(images):
        return call_at_any_size(generator, images)

    def of_pixels(images):
        return from_unit(of_floats(to_unit(images)))

    return of_pixels, of_floats


# --- formats -----------------------------------------------------------------------------------


def _write_saved_model(generators, path):
    # No `archive.track(generator)`: the endpoints' variables are in already, and would be twice.
    archive = keras.export.ExportArchive()
    for name, function, specification in _endpoints(generators):
        archive.add_endpoint(name, function, specification)
    archive.write_out(str(path), verbose=False)  # makes the first endpoint `serving_default`


def _write_onnx(generators, path):
    import tensorflow as tf
    import tf2onnx

    path.mkdir()
    for name, function, specification in _endpoints(generators):
        graph = tf.function(_named(function), input_signature=specification, autograph=False)
        tf2onnx.convert.from_function(
            graph, specification, opset=17, output_path=str(path / f"{name}.onnx")
        )


def _named(function):
    """tf2onnx takes the name of an output from a dictionary's key."""
    return lambda images: {"output_0": function(images)}


def _write_litert(generators, path):
    import tensorflow as tf

    saved_model = path.with_name("saved_model")
    _write_saved_model(generators, saved_model)
    names = [name for name, *_ in _endpoints(generators)]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=names)
    path.write_bytes(converter.convert())
