"""Exports the generators for runtimes without Keras: the method of `CycleGAN` for it."""

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from keras_cyclegan.arguments import PathLike, check_choice, check_direction, to_install
from keras_cyclegan.data.pixels import formats_of
from keras_cyclegan.export.formats import FORMATS, endpoint
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.inference.translate import chosen_size, generator_for, generators_of


class ExportMixin:
    """Exporting, for `CycleGAN`."""

    def export(
        self,
        filepath: PathLike,
        format: str = "tf_saved_model",
        direction: str | None = None,
        overwrite: bool = False,
        weights: str = "float32",
        working_size: int | str | None = "auto",
    ) -> None:
        """Write the generators, with their pre- and post-processing, for a runtime without Keras.

        What is written takes any batch size, height and width: images of sizes that a generator
        doesn't take are padded by reflection, and cropped, inside the graph. Its endpoints, each
        from `images` to `output_0`, are `a_to_b` and `b_to_a`, of uint8 images `(n, height, width,
        channels)`, or of the dtype and the units of `pixels_a` and `pixels_b`.

        - `"tf_saved_model"`: a folder, for TensorFlow and TensorFlow Serving. Each endpoint is a
          method and a signature; the first is also the signature `serving_default`.
        - `"onnx"`: a folder with one file for each endpoint, `a_to_b.onnx` and so on; or one file,
          of one direction, if `filepath` ends in `.onnx`. Needs the extra `onnx`.
        - `"litert"`: one file, for LiteRT (TensorFlow Lite), with a signature for each endpoint.
        - `"openvino"`: a folder with two files for each endpoint, `a_to_b.xml` and `a_to_b.bin`.
          Needs the extra `openvino`. Its runtime computes in bfloat16 where the processor can: for
          the same pixels as `translate`, compile with `{"INFERENCE_PRECISION_HINT": "f32"}`.

        There are no tiles in a graph: it needs the memory of the whole image.

        Args:
            filepath: folder or file to write, whole or not at all.
            format: one of these.
            direction: `"a_to_b"` or `"b_to_a"` for one generator; None for all of the model.
            overwrite: whether to replace an earlier export of this format.
            weights: `"float32"`; `"float16"`, half the bytes and hardly another pixel; or `"int8"`,
                a third, some grey levels, and computations with integers. A SavedModel can only
                have the first, OpenVINO the first two.
            working_size: as in `CycleGAN.translate`; the graph itself resizes.

        Raises:
            FileExistsError: `filepath` exists, and isn't an export of this format to `overwrite`.
            ImportError: a package that the format needs is not installed.
            ValueError: the format can't have such a name or such weights, or weights aren't finite.
            RuntimeError: Keras runs on another backend than TensorFlow.
        """
        check_choice("format", format, FORMATS)
        check_choice("weights", weights, FORMATS[format].weights)
        found = generators_of(self)
        if direction is not None:
            found = {check_direction(direction): generator_for(self, direction)}
        path = Path(filepath)
        _check_path(path, format, overwrite, len(found))
        _check_requirements(format)
        _check_finite(found)
        # On their fast paths, layers compute with sums of kernels, which int8 would round more.
        options = chosen_size(self, working_size), weights != "int8"
        endpoints = [
            endpoint(str(name), network, formats_of(self, name), *options)
            for name, network in found.items()
        ]
        with atomic_file(path) as unfinished:
            FORMATS[format].write(endpoints, unfinished, weights)


def _check_path(path, format, overwrite, directions):
    """Refuse the suffix of another format, one file where several are written, and what exists."""
    for other, known in FORMATS.items():
        if path.suffix.lower() == known.suffix and other != format:
            raise ValueError(
                f"{path} ends as {other!r} does, and the format is {format!r}. Give "
                f"format={other!r}, or another name."
            )
    if format == "onnx" and path.suffix.lower() == ".onnx" and directions > 1:
        raise ValueError(
            f"An ONNX file holds one direction. Choose one, or give a folder. Received {path}."
        )
    if path.exists() and not (overwrite and FORMATS[format].owns(path)):
        raise FileExistsError(
            f"{path} exists. Choose another path; `overwrite=True` replaces an earlier export as "
            f"{format!r}, and nothing else."
        )


def _check_requirements(format):
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Exporting {format!r} traces the generators with TensorFlow; Keras runs on "
            f"{keras.backend.backend()!r}. Save the model, load it in a process with "
            "KERAS_BACKEND=tensorflow, and export there: the weights are the same."
        )
    if missing := [name for name in FORMATS[format].packages if not find_spec(name)]:
        raise ImportError(f"{format!r} needs {', '.join(missing)}: {to_install(format)}.")


def _check_finite(generators):
    for direction, generator in generators.items():
        for weight in generator.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise ValueError(
                    f"Nothing was written: {weight.path} of the generator {direction} holds NaN "
                    "or infinity. Load weights from before training diverged."
                )
