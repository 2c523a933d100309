"""Exports the generators for runtimes without Keras: the method of `CycleGAN` for it."""

from importlib.util import find_spec
from pathlib import Path

import keras

from keras_cyclegan.arguments import PathLike, check_choice, check_direction, to_install
from keras_cyclegan.data.pixels import formats_of
from keras_cyclegan.export.formats import FORMATS
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.inference.translate import generator_for, generators_of

WEIGHTS = ("float32", "float16", "int8")


class ExportMixin:
    """Exporting, for `CycleGAN`."""

    def export(
        self,
        filepath: PathLike,
        format: str = "tf_saved_model",
        direction: str | None = None,
        overwrite: bool = False,
        weights: str = "float32",
    ) -> None:
        """Write the generators, with their pre- and post-processing, for a runtime without Keras.

        What is written takes any batch size, height and width: images of sizes that a generator
        doesn't take are padded by reflection, and cropped, inside the graph, as by `translate`. It
        holds the generators only, and is written whole or not at all. Its endpoints:

        - `a_to_b`, `b_to_a`: uint8 images `(n, height, width, channels)` in and out, or of the
          dtype and in the units of the model's `pixels_a` and `pixels_b`;
        - `a_to_b_float`, `b_to_a_float`: float32 images in [-1, 1] in and out.

        Each names its input `images` and its output `output_0`. By format:

        - `"tf_saved_model"`: a folder, for TensorFlow and TensorFlow Serving. Each endpoint is a
          method and a signature; the first is also the signature `serving_default`.
        - `"onnx"`: a folder with one file for each endpoint, `a_to_b.onnx` and so on, because an
          ONNX file holds one graph. A `filepath` that ends in `.onnx` is one file, with the pixel
          endpoint of one direction. Needs the extra `onnx`.
        - `"litert"`: one file, for LiteRT (TensorFlow Lite), with a signature for each endpoint.
        - `"openvino"`: a folder with two files for each endpoint, `a_to_b.xml` and `a_to_b.bin`.
          Needs the extra `openvino`. Its runtime computes in bfloat16 where the processor can: for
          the same pixels as `translate`, compile with `{"INFERENCE_PRECISION_HINT": "f32"}`.

        Smaller weights make smaller files: `"float16"` halves them and changes pixels hardly more
        than rounding does; `"int8"` leaves a third, changes pixels by some grey levels, and
        computes with integers. `benchmarks/README.md` has measurements of both.

        Exported generators have no tiles: they need the memory of the whole image. Don't give them
        parts of an image, which would differ in colour, because instance norms take the statistics
        of what they are given. `translate` itself cuts large images into tiles.

        Args:
            filepath: path of the folder or file to write.
            format: str, `"tf_saved_model"` (the default), `"onnx"`, `"litert"` or `"openvino"`.
            direction: str, `"a_to_b"` or `"b_to_a"` for one generator. None, the default, exports
                all generators of the model.
            overwrite: bool, False by default. Whether to replace an earlier export of this format
                at `filepath`.
            weights: str, `"float32"` (the default), `"float16"` or `"int8"`. A SavedModel can only
                have the first, OpenVINO the first two.

        Raises:
            FileExistsError: `filepath` exists, and `overwrite` is False or it isn't an earlier
                export of this format.
            ImportError: a package that the format needs is not installed.
            ValueError: the format is unknown, `filepath` has the suffix of another format, the
                model has no generator for the direction, or the format can't have such weights.
            RuntimeError: Keras runs on another backend than TensorFlow.

        Example:

        ```python
        model = keras_cyclegan.CycleGAN.from_preset("glyphs")
        model.export("served", direction="a_to_b")
        served = tf.saved_model.load("served")  # in a process without this package
        images = np.full((1, 33, 45, 3), 255, "uint8")
        translated = served.a_to_b(images)  # uint8 in, uint8 out
        ```
        """
        _check_format(format, weights)
        generators = _generators(self, direction)
        path = Path(filepath)
        _check_name(path, format, generators)
        _check_target(path, format, overwrite)
        _check_requirements(format, weights)
        with atomic_file(path) as unfinished:
            FORMATS[format].write(generators, unfinished, weights)


# --- what is exported, and to which path ------------------------------------------------------


def _generators(model, direction):
    """Return generators and pixel formats by direction; the first one is served by default."""
    found = generators_of(model)
    if direction is not None:
        found = {check_direction(direction): generator_for(model, direction)}
    return {
        direction: (generator, formats_of(model, direction))
        for direction, generator in found.items()
    }


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
