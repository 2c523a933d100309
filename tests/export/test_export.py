import copy
import functools
import importlib
import itertools
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.data.pixels import PixelFormat
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.export import export as exporting
from keras_cyclegan.export import formats
from keras_cyclegan.export.formats import FORMATS
from keras_cyclegan.layers import InstanceNormalization
from keras_cyclegan.networks import FeatureGenerator, ResNetGenerator, UNetGenerator

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a SavedModel is traced by TensorFlow"
)

FLOATS = PixelFormat("float32", low=-1, high=1)
SIZES = ((32, 48), (33, 45), (7, 70), (3, 5))


def resnet(channels=3, output_channels=3, num_blocks=0):
    return ResNetGenerator((32, 32, channels), output_channels, 4, num_blocks)


def cyclegan(generator_ab, generator_ba, channels=3):
    return CycleGAN(generator_ab, generator_ba, image_shape=(32, 32, channels), pool_size=2)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    unet = UNetGenerator((32, 32, 3), filters=4, num_downsamplings=5)
    return cyclegan(resnet(num_blocks=1), unet)


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "served"
    model.export(path)
    return path


def batches():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1 + i % 2, *size, 3), "uint8") for i, size in enumerate(SIZES)]


def load(path):
    import tensorflow as tf

    return tf.saved_model.load(str(path))


ALONE = """
import sys
import numpy as np, tensorflow as tf

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "keras_cyclegan"):
            raise ImportError(f"{name} is not to be imported")

assert "keras_cyclegan" not in sys.modules
for name in list(sys.modules):  # TensorFlow imports keras by itself
    if name.split(".")[0] == "keras":
        del sys.modules[name]
sys.meta_path.insert(0, Refuse())
folder = sys.argv[1]
served = tf.saved_model.load(folder + "/served")
given = np.load(folder + "/given.npz")
results = {}
for name in given:
    for direction in ("a_to_b", "b_to_a"):
        results[f"{direction}/{name}"] = getattr(served, direction)(given[name]).numpy()
    default = served.signatures["serving_default"](images=tf.constant(given[name]))
    results[f"serving_default/{name}"] = default["output_0"].numpy()
np.savez(folder + "/results.npz", **results)
"""


def test_a_fresh_process_with_tensorflow_alone_translates_as_translate_does(model, served):
    folder = served.parent
    np.savez(folder / "given.npz", **{str(i): batch for i, batch in enumerate(batches())})
    process = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)], capture_output=True, text=True, cwd=folder
    )
    assert process.returncode == 0, process.stderr
    results = np.load(folder / "results.npz")
    for i, batch in enumerate(batches()):
        for direction in ("a_to_b", "b_to_a"):
            expected = model.translate(batch, direction)
            pixels = results[f"{direction}/{i}"]
            assert pixels.dtype == np.uint8
            assert pixels.shape == expected.shape
            assert np.abs(pixels.astype(int) - expected).max() <= 1
        np.testing.assert_array_equal(results[f"serving_default/{i}"], results[f"a_to_b/{i}"])


def test_each_instance_norm_is_one_operation_as_in_translate(model, served):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((served / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    fused = [
        node.name
        for function in functions
        if "of_pixels" in function.signature.name
        for node in function.node_def
        if node.op.startswith("FusedBatchNorm")
    ]
    networks = model.generator_ab, model.generator_ba
    norms = [x for g in networks for x in g.layers if isinstance(x, InstanceNormalization)]
    assert len(fused) == len(norms)


def test_the_comparison_can_tell_the_directions_apart(model):
    for batch in batches():
        difference = model.translate(batch).astype(int) - model.translate(batch, "b_to_a")
        assert np.abs(difference).max() > 5


def test_the_artefact_holds_the_generators_once_and_nothing_else(model, served):
    import tensorflow as tf

    stored = tf.train.list_variables(str(served / "variables" / "variables"))
    held = sum(int(np.prod(shape)) for _, shape in stored if shape)
    assert held == model.generator_ab.count_params() + model.generator_ba.count_params()


def test_any_batch_height_and_width(served):
    for signature in load(served).signatures.values():
        (images,) = signature.structured_input_signature[1].values()
        assert images.shape.as_list() == [None, None, None, 3]
        assert images.dtype == "uint8"


def test_a_one_way_model_exports_its_direction(tmp_path):
    one_way = CycleGAN(resnet(), None, None, None, image_shape=(32, 32, 3))
    one_way.translate(batches()[0])  # leaves a graph behind, which is not to be exported
    one_way.export(tmp_path / "served")
    assert set(load(tmp_path / "served").signatures) == {"a_to_b", "serving_default"}
    assert list(tmp_path.iterdir()) == [tmp_path / "served"]


def test_direction_selects_one_generator(tmp_path):
    gray = CycleGAN(resnet(1, 3), resnet(3, 1), None, None, image_shape=(32, 32, 1))
    gray.export(tmp_path / "served", direction="b_to_a")
    served = load(tmp_path / "served")
    assert set(served.signatures) == {"b_to_a", "serving_default"}
    images = batches()[1]
    translated = served.signatures["serving_default"](images=images)["output_0"].numpy()
    assert np.abs(translated.astype(int) - gray.translate(images, "b_to_a")).max() <= 1


# --- other runtimes ----------------------------------------------------------------------------


def assert_translates(model, run):
    """`run(endpoint, images)` agrees with `translate` on every size, in both directions."""
    for batch in batches():
        for direction in ("a_to_b", "b_to_a"):
            expected = model.translate(batch, direction)
            pixels = run(direction, batch)
            assert pixels.dtype == np.uint8
            assert pixels.shape == expected.shape
            assert np.abs(pixels.astype(int) - expected).max() <= 1


def open_onnx(path):
    """The endpoints of the files at `path`, and a function that runs one."""
    onnxruntime = pytest.importorskip("onnxruntime")
    sessions = {file.stem: onnxruntime.InferenceSession(file) for file in path.iterdir()}
    return sessions, lambda name, images: sessions[name].run(["output_0"], {"images": images})[0]


def open_litert(path):
    litert = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    return litert.get_signature_list(), lambda name, images: litert.get_signature_runner(name)(
        images=images
    )["output_0"]


def open_openvino(path):
    core = pytest.importorskip("openvino").Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16, where the processor can
    compiled = {file.stem: core.compile_model(file, "CPU", exact) for file in path.glob("*.xml")}
    return compiled, lambda name, images: compiled[name]({"images": images})["output_0"]


RUNTIMES = {"onnx": open_onnx, "litert": open_litert, "openvino": open_openvino}


def skip_without_packages(format):
    for package in ("tf2onnx", "openvino")[: ("litert", "onnx", "openvino").index(format)]:
        pytest.importorskip(package)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """What was made of each model's endpoints when the first test asked for it."""
    return tmp_path_factory.mktemp("first"), {}


@pytest.fixture
def converted_once(first, monkeypatch):
    """A function of a model and a format, after which the model's endpoints go through tf2onnx, or
    into a SavedModel, only if they haven't before: the subject is what is made of that.
    """
    write_saved_model, make_endpoint = formats.write_saved_model, formats.endpoint
    folder, converted = first

    def save(model):
        def copy_first(endpoints, target, weights):
            path = folder / f"{id(model)}-{weights == 'int8'}"
            if not path.exists():
                write_saved_model(endpoints, path, weights)
            shutil.copytree(path, target, dirs_exist_ok=True)

        monkeypatch.setattr(formats, "write_saved_model", copy_first)

    def convert(model):
        tf2onnx = importlib.import_module("tf2onnx")
        from_function = tf2onnx.convert.from_function
        ways = [g for g in (model.generator_ab, model.generator_ba) if g is not None]
        endpoints = itertools.cycle(range(len(ways)))  # come in the same order each time
        asked_for = []  # int8 has a graph of its own

        def note(*given):
            asked_for.append(given[-1])
            return make_endpoint(*given)

        def look_up(function, specification, **options):
            key = id(model), asked_for[-1], next(endpoints)
            if key not in converted:
                converted[key] = from_function(function, specification, **options)
            return copy.deepcopy(converted[key])

        monkeypatch.setattr(exporting, "endpoint", note)
        monkeypatch.setattr(tf2onnx.convert, "from_function", look_up)

    return lambda model, format: (save if format == "litert" else convert)(model)


@pytest.mark.parametrize("format", list(RUNTIMES))
def test_each_runtime_translates_as_translate_does(model, tmp_path, format, converted_once):
    skip_without_packages(format)
    converted_once(model, format)
    model.export(tmp_path / "out", format=format)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    endpoints, run = RUNTIMES[format](tmp_path / "out")
    assert sorted(endpoints) == ["a_to_b", "b_to_a"]
    assert_translates(model, run)


@pytest.mark.parametrize("format", ["tf_saved_model", *RUNTIMES])
def test_a_generator_on_frozen_features_is_exported(tmp_path, format):
    if format != "tf_saved_model":
        skip_without_packages(format)
    generator = FeatureGenerator((64, 64, 3), filters=3)
    model = CycleGAN(generator, None, None, None, image_shape=(64, 64, 3))
    model.export(tmp_path / "out", format=format)
    if format == "tf_saved_model":
        served = load(tmp_path / "out")
        found = served.a_to_b(batches()[0]).numpy()
    else:
        _, run = RUNTIMES[format](tmp_path / "out")
        found = run("a_to_b", batches()[0])
    expected = model.translate(batches()[0])
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.fixture(scope="module")
def wide():
    keras.utils.set_random_seed(3)
    as_shipped = {"upsampling": "resize", "input_skip": True}
    generator = ResNetGenerator((32, 32, 3), filters=16, num_blocks=1, **as_shipped)
    return CycleGAN(generator, None, None, None, image_shape=(32, 32, 3))


@pytest.mark.parametrize(
    ("format", "smaller"),
    [
        ("onnx", {"float16": 0.5, "int8": 20}),
        ("litert", {"float16": 0.5, "int8": 20}),
        ("openvino", {"float16": 0.5}),
    ],
)
def test_smaller_weights_make_smaller_files_of_similar_pixels(
    wide, tmp_path, format, smaller, converted_once
):
    skip_without_packages(format)
    converted_once(wide, format)
    expected = [wide.translate(batch) for batch in batches()]
    last_size, last_difference = None, 0
    for weights, most in {"float32": 0.01, **smaller}.items():
        path = tmp_path / weights
        wide.export(path, format=format, weights=weights)
        size = path.stat().st_size if path.is_file() else folder_size(path)
        _, run = RUNTIMES[format](path)
        difference = np.mean(
            [
                np.abs(run("a_to_b", batch).astype(int) - translated).mean()
                for batch, translated in zip(batches(), expected, strict=True)
            ]
        )
        assert last_size is None or size < 0.95 * last_size
        assert last_difference <= difference <= most
        last_size, last_difference = size, difference


@pytest.mark.parametrize("format", ["tf_saved_model", *RUNTIMES])
@pytest.mark.parametrize("input_skip", [True, False])
def test_photos_are_translated_at_their_working_size(tmp_path, format, input_skip):
    if format != "tf_saved_model":
        skip_without_packages(format)
    keras.utils.set_random_seed(1)
    generator = ResNetGenerator((32, 32, 3), filters=4, num_blocks=1, input_skip=input_skip)
    head = generator.get_layer("head_conv")
    head.set_weights([10 * weights for weights in head.get_weights()])
    options = {"image_shape": (32, 32, 3), "pixels_a": FLOATS, "pixels_b": FLOATS}
    model = CycleGAN(generator, None, None, None, **options)
    model.set_scale("whole", 32)
    model.export(tmp_path / "out", format=format)
    if format == "tf_saved_model":
        served = load(tmp_path / "out")  # its functions don't hold it
        endpoint = served.a_to_b
    else:
        _, run = RUNTIMES[format](tmp_path / "out")
        endpoint = functools.partial(run, "a_to_b")
    rng = np.random.default_rng(0)
    for size in ((97, 130), (150, 70), (39, 300), (33, 45), (3, 5)):
        photo = resize_image(rng.uniform(-1, 1, (5, 6, 3)).astype("float32"), size)
        photo = np.clip(photo + rng.normal(0, 0.1, photo.shape), -1, 1).astype("float32")
        found = np.asarray(endpoint(photo[None]))[0]
        np.testing.assert_allclose(found, model.translate(photo), atol=5e-3)


def folder_size(path):
    return sum(file.stat().st_size for file in path.iterdir())


def test_a_missing_package_is_named_before_any_work(model, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    for format, weights, package in (
        ("onnx", "int8", "tf2onnx, onnxruntime"),
        ("openvino", "float32", "tf2onnx, openvino"),
    ):
        message = (
            rf"needs {package}: `pip install 'keras-cyclegan\[{format}\]'`, in a clone "
            rf"`pip install '\.\[{format}\]'`"
        )
        with pytest.raises(ImportError, match=message):
            model.export(tmp_path / "out", format=format, weights=weights)
    assert not list(tmp_path.iterdir())


# --- errors, and files written whole or not at all ---------------------------------------------


def test_a_missing_direction_is_refused_before_anything_is_written(tmp_path):
    one_way = CycleGAN(resnet(), None, None, None, image_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="no generator for 'b_to_a'"):
        one_way.export(tmp_path / "served", direction="b_to_a")
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_names_the_formats(model, tmp_path):
    with pytest.raises(
        ValueError, match=r"one of 'tf_saved_model', .*'openvino'. Received format='pickle'"
    ):
        model.export(tmp_path / "served", format="pickle")


@pytest.mark.parametrize(
    ("format", "weights", "message"),
    [
        ("tf_saved_model", "float16", "one of 'float32'. Received weights='float16'"),
        ("openvino", "int8", "one of 'float32', 'float16'. Received weights='int8'"),
        ("onnx", "int4", "`weights` must be one of .* Received weights='int4'"),
    ],
)
def test_weights_that_a_format_does_not_have_are_refused(model, tmp_path, format, weights, message):
    with pytest.raises(ValueError, match=message):
        model.export(tmp_path / "out", format=format, weights=weights)
    assert not list(tmp_path.iterdir())


def test_a_name_that_ends_in_onnx_is_one_file(model, tmp_path):
    skip_without_packages("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "gen.onnx"
    model.export(path, format="onnx", direction="b_to_a")
    assert path.is_file()
    images = batches()[1]
    session = onnxruntime.InferenceSession(path)
    for value in (*session.get_inputs(), *session.get_outputs()):
        assert value.shape == ["batch", "height", "width", 3]
    (translated,) = session.run(["output_0"], {"images": images})
    assert np.abs(translated.astype(int) - model.translate(images, "b_to_a")).max() <= 1
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.export(path, format="onnx", direction="b_to_a")
    assert FORMATS["onnx"].owns(path)


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        (
            "gen.onnx",
            "tf_saved_model",
            "ends as 'onnx' does, .*'tf_saved_model'. Give format='onnx', or a",
        ),
        ("gen.tflite", "onnx", "ends as 'litert' does.*Give format='litert', or a"),
        ("gen.onnx", "onnx", "one direction. Choose one, or give a folder"),
    ],
)
def test_a_name_that_promises_something_else_is_refused(model, tmp_path, name, format, message):
    with pytest.raises(ValueError, match=message):
        model.export(tmp_path / name, format=format)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_refused(tmp_path):
    one_way = CycleGAN(resnet(), None, None, None, image_shape=(32, 32, 3))
    one_way.generator_ab.get_layer("stem_conv").bias.assign([1, 2, np.nan, 4])
    with pytest.raises(ValueError, match=r"stem_conv/bias of the generator a_to_b holds NaN"):
        one_way.export(tmp_path / "served")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unasked(model, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.export(tmp_path / "served")
    with pytest.raises(
        FileExistsError, match="replaces an earlier export as 'tf_saved_model', and nothing else"
    ):
        model.export(tmp_path / "served", overwrite=True)
    assert (tmp_path / "served" / "thesis.txt").read_text() == "mine"


def test_a_failed_export_leaves_the_old_one_and_no_rubbish(model, tmp_path, monkeypatch):
    served = tmp_path / "served"
    served.mkdir()
    (served / "saved_model.pb").write_bytes(b"old")

    def fail(endpoints, path, weights):
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(FORMATS, "tf_saved_model", FORMATS["tf_saved_model"]._replace(write=fail))
    with pytest.raises(OSError, match="disk full"):
        model.export(served, overwrite=True)
    assert (served / "saved_model.pb").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [served]


def test_an_old_export_comes_back_if_the_new_one_cannot_take_its_place(
    model, tmp_path, monkeypatch
):
    served = tmp_path / "served"
    served.mkdir()
    (served / "saved_model.pb").write_bytes(b"old")
    lazy = FORMATS["tf_saved_model"]._replace(write=lambda endpoints, path, weights: None)
    monkeypatch.setitem(FORMATS, "tf_saved_model", lazy)
    with pytest.raises(FileNotFoundError):  # there is nothing to rename
        model.export(served, overwrite=True)
    assert (served / "saved_model.pb").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [served]


def test_overwrite_replaces_an_earlier_export(tmp_path):
    one_way = CycleGAN(resnet(), None, None, None, image_shape=(32, 32, 3))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "saved_model.pb").write_bytes(b"old")
    one_way.export(tmp_path / "served", overwrite=True)
    assert "a_to_b" in load(tmp_path / "served").signatures
    assert list(tmp_path.iterdir()) == [tmp_path / "served"]
