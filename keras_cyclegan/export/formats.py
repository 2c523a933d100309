"""Writes the files of each runtime. `export` checks the arguments and the path before."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras

from keras_cyclegan.export.photos import translate_at
from keras_cyclegan.inference.runner import runner


class Format(NamedTuple):
    """What `export` needs to know about a format."""

    write: Callable  # of endpoints, path, weights' dtype
    owns: Callable  # of a path: whether an earlier export of this format is there
    suffix: str | None  # of its files; None for a folder
    weights: tuple[str, ...]  # the dtypes that they can have
    packages: tuple[str, ...] = ()  # to import beside TensorFlow


def write_saved_model(endpoints, path, weights):
    # Without `archive.track(generator)`: the endpoints hold the variables, which would come twice.
    archive = keras.export.ExportArchive()
    for name, function, specification in endpoints:
        archive.add_endpoint(name, function, specification)
    archive.write_out(str(path), verbose=False)  # makes the first endpoint `serving_default`


def write_onnx(endpoints, path, weights):
    import onnx
    import tensorflow as tf
    import tf2onnx

    single = path.suffix.lower() == ".onnx"
    if not single:
        path.mkdir()
    for name, function, specification in endpoints:
        file = path if single else path / f"{name}.onnx"
        graph = tf.function(_named(function), input_signature=specification, autograph=False)
        exported, _ = tf2onnx.convert.from_function(graph, specification, opset=17)
        for value in (*exported.graph.input, *exported.graph.output):
            for axis, name in enumerate(("batch", "height", "width")):
                value.type.tensor_type.shape.dim[axis].dim_param = name
        if weights == "float16":
            _store_kernels_as_float16(exported.graph)
        onnx.save(exported, file)
        if weights == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantize_dynamic(file, file, weight_type=QuantType.QInt8)


def write_openvino(endpoints, path, weights):
    # Not by `openvino.convert_model`, which sends a report of every conversion.
    import openvino

    path.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, "onnx")
        write_onnx(endpoints, onnx, "float32")
        for file in onnx.iterdir():
            graph, half = openvino.Core().read_model(file), weights == "float16"
            openvino.save_model(graph, path / f"{file.stem}.xml", compress_to_fp16=half)
            del graph  # it reads its weights from the file


def write_litert(endpoints, path, weights):
    import tensorflow as tf

    names = [name for name, *_ in endpoints]
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(endpoints, Path(folder), weights)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=names)
        if weights != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]  # int8, unless types are given
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())


def _holds_only(*suffixes):
    return lambda path: path.is_dir() and all(file.suffix in suffixes for file in path.iterdir())


ALL = "float32", "float16", "int8"
FORMATS = {
    "tf_saved_model": Format(
        write_saved_model, lambda path: (path / "saved_model.pb").exists(), None, ALL[:1]
    ),
    "onnx": Format(
        write_onnx,
        lambda path: path.suffix.lower() == ".onnx" or _holds_only(".onnx")(path),
        *(".onnx", ALL, ("tf2onnx", "onnxruntime")),
    ),
    "litert": Format(write_litert, Path.is_file, ".tflite", ALL),
    "openvino": Format(
        write_openvino, _holds_only(".xml", ".bin"), ".xml", ALL[:2], ("tf2onnx", "openvino")
    ),
}


def endpoint(name, generator, pixels, working_size, fast):
    """Return an endpoint's name, its function of a batch, and the specification of the batch."""
    import tensorflow as tf

    run, (given, wanted) = runner(generator), pixels
    # Found outside of the graph.
    rule, *_ = [runner(network).rule for network in (generator, run.change) if network]

    def of_pixels(images):
        images = given.to_unit(images)
        if working_size is None:
            return wanted.from_unit(run.apply(images, fast))
        return wanted.from_unit(translate_at(run, working_size, rule.multiple, images, fast))

    shape = None, *generator.input_shape[1:]
    return name, of_pixels, [tf.TensorSpec(shape, given.dtype, "images")]


def _named(function):
    """Give the output the name "output_0"; tf2onnx takes names from a dictionary's keys."""
    return lambda images: {"output_0": function(images)}


def _store_kernels_as_float16(graph):
    """Halve the file; computations stay in float32, as in the other formats."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for stored in graph.initializer:
        kernel, name = numpy_helper.to_array(stored), stored.name
        if kernel.dtype == "float32" and kernel.ndim == 4:
            half = f"{name}_float16"
            stored.CopyFrom(numpy_helper.from_array(kernel.astype("float16"), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]  # a node must come before those that read it
    del graph.node[:]
    graph.node.extend(nodes)
