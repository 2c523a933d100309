"""Images of 12 bits, floats, many channels: a model gives and gets the units of its training."""

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import PixelFormat, unpaired_dataset
from keras_cyclegan.inference.files import plan_files, translate_files
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

TWELVE = PixelFormat("uint16", 1, 0, 4095)
HOUNSFIELD = PixelFormat("int16", 1, -1024, 3071, "HU")


def unchanging(channels=1):
    """A network that returns its input, so that a translation is a change of units."""
    images = keras.Input((None, None, channels))
    return keras.Model(images, keras.layers.Activation("linear")(images))


def model_of(pixels_a, pixels_b, channels=1):
    networks = unchanging(channels), unchanging(channels), None, None
    shape = (16, 16, channels)
    return CycleGAN(*networks, image_shape=shape, pixels_a=pixels_a, pixels_b=pixels_b)


@pytest.fixture
def scan():
    return np.random.default_rng(0).integers(0, 4096, (20, 26)).astype("uint16")


def test_a_translation_is_in_the_units_of_its_domain(scan):
    model = model_of(TWELVE, HOUNSFIELD)
    found = model.translate(scan)
    assert found.dtype == "int16"
    np.testing.assert_array_equal(found, scan.astype("int16") - 1024)
    np.testing.assert_array_equal(model.translate(found, "b_to_a"), scan)
    batch = np.stack([scan, scan])[..., None]
    np.testing.assert_array_equal(model.translate(batch), batch.astype("int16") - 1024)
    np.testing.assert_array_equal(model.reconstruct(scan), scan)
    unit = TWELVE.to_unit(scan)
    np.testing.assert_allclose(model.translate(unit), unit)  # floats in [-1, 1] stay that
    np.testing.assert_array_equal(model.translate(scan, tile=16), scan.astype("int16") - 1024)


def test_floats_are_in_their_units_too():
    decibels = PixelFormat("float32", 2, (-30.0, -40.0), (10.0, 0.0), "dB")
    images = np.random.default_rng(0).uniform(-30, 0, (12, 16, 2)).astype("float32")
    found = model_of(decibels, decibels, 2).translate(images)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, images, atol=1e-5)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_files_come_back_in_their_kind_and_dtype(suffix, scan, tmp_path):
    path = tmp_path / "in" / f"x{suffix}"
    path.parent.mkdir()
    if suffix == ".png":
        Image.fromarray(scan).save(path)
    elif suffix == ".tif":
        tifffile.imwrite(path, np.stack([scan, scan // 2]))
    else:
        np.save(path, scan)
    model = model_of(TWELVE, TWELVE)
    pairs = plan_files(tmp_path / "in", tmp_path / "out")
    assert [error for _, _, error in translate_files(model, pairs)] == [None]
    into = tmp_path / "out" / f"x{suffix}"
    if suffix == ".png":
        np.testing.assert_array_equal(np.asarray(Image.open(into)), scan)
    elif suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(into), np.stack([scan, scan // 2]))
    else:
        np.testing.assert_array_equal(np.load(into), scan)


def test_a_kind_that_cannot_hold_the_translation_is_refused(scan, tmp_path):
    Image.fromarray(scan).save(tmp_path / "x.png")
    model = model_of(TWELVE, HOUNSFIELD)
    pairs = plan_files(tmp_path / "x.png", tmp_path / "out")
    ((_, into, error),) = translate_files(model, pairs)
    assert "x.png can't hold 1 image of int16 with 1 channels" in str(error)
    assert not into.exists()
    pairs = plan_files(tmp_path / "x.png", tmp_path / "out.tif")
    assert [error for *_, error in translate_files(model, pairs)] == [None]
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.tif"), scan.astype("int16") - 1024
    )


@pytest.mark.parametrize("saved", ["preset", "file", "config"])
def test_units_are_in_presets_files_and_configs(saved, scan, tmp_path):
    shape = (16, 16, 1)
    networks = [ResNetGenerator(shape, 1, filters=4, num_blocks=1) for _ in "ab"]
    judges = [PatchDiscriminator(shape, filters=4, num_layers=1) for _ in "ab"]
    model = CycleGAN(*networks, *judges, image_shape=shape, pixels_a=TWELVE, pixels_b=HOUNSFIELD)
    if saved == "preset":
        model.save_to_preset(tmp_path / "preset")
        again = CycleGAN.from_preset(str(tmp_path / "preset"))
    elif saved == "file":
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
    else:
        again = CycleGAN.from_config(model.get_config())
        again.set_weights(model.get_weights())
    assert (again.pixels_a, again.pixels_b) == (TWELVE, HOUNSFIELD)
    np.testing.assert_array_equal(again.translate(scan), model.translate(scan))


def test_fit_takes_the_units_of_its_data_and_refuses_others(scan):
    shape = (16, 16, 1)

    def make(**pixels):
        networks = [ResNetGenerator(shape, 1, filters=4, num_blocks=1) for _ in "ab"]
        judges = [PatchDiscriminator(shape, filters=4, num_layers=1) for _ in "ab"]
        model = CycleGAN(*networks, *judges, image_shape=shape, **pixels)
        model.compile()
        return model

    images = scan[None, :16, :16, None]
    train = unpaired_dataset(
        images, images.astype("int16"), pixels_a=TWELVE, pixels_b=HOUNSFIELD, steps_per_epoch=1
    )
    model = make()
    model.fit(train, verbose=0)
    assert (model.pixels_a, model.pixels_b) == (TWELVE, HOUNSFIELD)
    assert "pixels_a" in model.get_config()
    with pytest.raises(ValueError, match=r"model's `pixels_a` is int16.*the data's is uint16"):
        make(pixels_a=HOUNSFIELD).fit(train, verbose=0)


def test_a_model_of_eight_bits_keeps_its_config(tmp_path):
    model = model_of(None, None)
    assert not {"pixels_a", "pixels_b"} & set(model.get_config())


def test_left_out_files_are_told(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    image = Image.new("RGB", (16, 16), (200, 40, 40))
    image.save(tmp_path / "in" / "photo.jpg")
    image.save(tmp_path / "in" / "none", "JPEG")
    image.save(tmp_path / "in" / "browser.jfif", "JPEG")
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / "anim.gif").write_bytes(b"x")
    pairs = plan_files(tmp_path / "in", tmp_path / "out")
    assert "Left out 2 files" in caplog.text
    model = model_of(None, None, 3)
    assert [error for *_, error in translate_files(model, pairs)] == [None] * 3
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["browser.jfif", "none.jpg", "photo.jpg"]


@pytest.mark.parametrize("format", ["tf_saved_model", "onnx", "litert"])
def test_exports_take_and_give_the_units(format, scan, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are TensorFlow's")
    path = tmp_path / f"out{'.tflite' if format == 'litert' else ''}"
    model_of(TWELVE, HOUNSFIELD).export(path, format, direction="a_to_b")
    images = scan[None, ..., None]
    if format == "tf_saved_model":
        import tensorflow as tf

        found = tf.saved_model.load(str(path)).a_to_b(images).numpy()
    elif format == "onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(str(path / "a_to_b.onnx"))
        (found,) = session.run(None, {"images": images})
    else:
        litert = pytest.importorskip("ai_edge_litert.interpreter")
        run = litert.Interpreter(str(path)).get_signature_runner("a_to_b")
        found = run(images=images)["output_0"]
    assert found.dtype == "int16"
    np.testing.assert_array_equal(found, images.astype("int16") - 1024)
