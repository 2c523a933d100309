import gc
import io
import pickle
import weakref

import keras
import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import TooManyPixelsError, from_unit, to_unit
from keras_cyclegan.inference import pictures as module
from keras_cyclegan.inference.runner import Runner, runner
from keras_cyclegan.networks import ResNetGenerator, UNetGenerator


def resnet(channels=3, output_channels=3, num_blocks=1):
    return ResNetGenerator((32, 32, channels), output_channels, filters=4, num_blocks=num_blocks)


def two_way(generator_ab, generator_ba, channels=3):
    return CycleGAN(generator_ab, generator_ba, None, None, image_shape=(32, 32, channels))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return two_way(resnet(), resnet())


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def by_hand(generator, pixels, multiple):
    """numpy's own reflection, the generator called directly, a crop."""
    height, width = pixels.shape[:2]
    below, right = -height % multiple, -width % multiple
    padded = np.pad(to_unit(pixels), ((0, below), (0, right), (0, 0)), mode="reflect")
    translated = keras.ops.convert_to_numpy(generator(padded[None], training=False))[0]
    return from_unit(translated[:height, :width])


def assert_close(actual, expected, levels=1):
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype == np.uint8
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= levels


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 48), (33, 45), (31, 34), (7, 130), (6, 6)])
def test_every_size_is_padded_by_reflection_and_cropped(model, size):
    pixels = noise(*size, 3)
    assert_close(model.translate(pixels), by_hand(model.generator_ab, pixels, 4))


@pytest.mark.parametrize("size", [(64, 32), (50, 70), (3, 10)])
def test_a_unet_gets_its_own_multiple(size):
    unet = UNetGenerator((32, 32, 3), filters=4, num_downsamplings=5)
    pixels = noise(*size, 3)
    one_way = CycleGAN(unet, None, None, None, image_shape=(32, 32, 3))
    assert_close(one_way.translate(pixels), by_hand(unet, pixels, 32))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (4, 2)])
def test_an_image_too_small_for_the_reflections_inside_still_works(model, size):
    assert model.translate(noise(*size, 3)).shape == (*size, 3)


def rule_of(generator):
    return runner(generator).rule


def test_size_rules():
    assert rule_of(resnet()) == (4, 8)
    zeros = ResNetGenerator((32, 32, 3), filters=4, num_blocks=1, padding="zeros")
    assert rule_of(zeros) == (4, 4)
    unet = UNetGenerator((128, 128, 3), filters=4, num_downsamplings=7)
    assert rule_of(unet) == (128, 128)


def test_a_network_that_changes_the_size_is_refused():
    images = keras.Input((None, None, 3))
    halving = keras.Model(images, keras.layers.Conv2D(3, 3, 2, padding="same")(images))
    with pytest.raises(ValueError, match="images back in their own size"):
        CycleGAN(halving, None, None, None).translate(noise(8, 8, 3))


def test_a_network_of_one_size_takes_only_that_size():
    images = keras.Input((16, 16, 3))
    fixed = keras.Model(images, keras.layers.Conv2D(3, 3, padding="same")(images))
    one_way = CycleGAN(fixed, None, None, None, image_shape=(16, 16, 3))
    assert one_way.translate(noise(16, 16, 3)).shape == (16, 16, 3)
    with pytest.raises(ValueError, match=r"16×16 only. Received one of 16×20"):
        one_way.translate(noise(16, 20, 3))


# --- kinds -------------------------------------------------------------------------------------


def test_a_path_the_bytes_of_a_file_and_a_file_give_uint8_pixels(model, tmp_path):
    pixels = noise(21, 30, 3)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    expected = model.translate(pixels)
    np.testing.assert_array_equal(model.translate(path), expected)
    np.testing.assert_array_equal(model.translate(str(path)), expected)
    np.testing.assert_array_equal(model.translate(path.read_bytes()), expected)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(model.translate(file), expected)


def test_a_pil_image_gives_a_pil_image(model):
    pixels = noise(21, 30, 3)
    translated = model.translate(Image.fromarray(pixels))
    assert isinstance(translated, Image.Image)
    assert (translated.mode, translated.size) == ("RGB", (30, 21))
    np.testing.assert_array_equal(np.asarray(translated), model.translate(pixels))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_give_floats_of_the_same_dtype(model, dtype):
    pixels = noise(12, 10, 3)
    translated = model.translate(to_unit(pixels).astype(dtype))
    assert translated.dtype == dtype
    assert np.abs(translated).max() <= 1
    assert_close(from_unit(translated), model.translate(pixels), levels=2)


def test_a_batch_gives_a_batch(model):
    batch = noise(3, 10, 12, 3)
    translated = model.translate(batch)
    assert isinstance(translated, np.ndarray)
    for one, pixels in zip(translated, batch, strict=True):
        assert_close(one, model.translate(pixels))


def test_a_tensor_gives_a_tensor(model):
    batch = noise(2, 8, 8, 3)
    translated = model.translate(keras.ops.convert_to_tensor(to_unit(batch)))
    assert keras.ops.is_tensor(translated)
    assert_close(from_unit(keras.ops.convert_to_numpy(translated)), model.translate(batch))


def test_a_list_keeps_order_kinds_and_sizes(model, tmp_path):
    small, large, other = noise(8, 12, 3), noise(20, 8, 3, seed=1), noise(8, 12, 3, seed=2)
    Image.fromarray(large).save(tmp_path / "large.png")
    images = [small, tmp_path / "large.png", Image.fromarray(other), to_unit(small), large]
    translated = model.translate(images)
    assert [type(t) for t in translated[:3]] == [np.ndarray, np.ndarray, Image.Image]
    assert translated[3].dtype == np.float32
    expected = [small, large, other, small, large]
    for i, (one, pixels) in enumerate(zip(translated, expected, strict=True)):
        one = from_unit(one) if i == 3 else np.asarray(one)
        assert_close(one, model.translate(pixels))
    assert model.translate([]) == []


def test_gray_becomes_the_networks_three_channels(model):
    gray = noise(9, 11)
    expected = model.translate(np.stack([gray] * 3, axis=-1))
    for image in (gray, gray[:, :, None], Image.fromarray(gray)):
        np.testing.assert_array_equal(np.asarray(model.translate(image)), expected)
    translated = model.translate(to_unit(gray))
    assert_close(from_unit(translated), expected)


def test_gray_networks_give_gray(tmp_path):
    gray_model = two_way(resnet(1, 3), resnet(3, 1), channels=1)
    gray, colours = noise(9, 11), noise(9, 11, 3)
    assert gray_model.translate(gray).shape == (9, 11, 3)
    assert gray_model.translate(Image.fromarray(gray)).mode == "RGB"
    assert gray_model.translate(colours, "b_to_a").shape == (9, 11, 1)
    assert gray_model.translate(Image.fromarray(colours), "b_to_a").mode == "L"
    assert gray_model.reconstruct(gray).shape == (9, 11)


def test_a_photo_that_lies_on_its_side_comes_back_upright(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(10, 20, 3)).save(tmp_path / "turned.png", exif=exif)
    assert model.translate(tmp_path / "turned.png").shape == (20, 10, 3)
    with Image.open(tmp_path / "turned.png") as image:
        assert model.translate(image).size == (10, 20)


# --- alpha -------------------------------------------------------------------------------------


def rgba():
    pixels = noise(10, 14, 4)
    pixels[:5, :, 3] = 255
    pixels[5:, :7, 3] = 0
    return pixels


def test_alpha_is_carried_over_by_every_kind(model, tmp_path):
    pixels = rgba()
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    translated = model.translate(pixels)
    np.testing.assert_array_equal(translated[:, :, 3], pixels[:, :, 3])
    np.testing.assert_array_equal(model.translate(tmp_path / "alpha.png"), translated)
    pil = model.translate(Image.fromarray(pixels))
    assert pil.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(pil), translated)
    np.testing.assert_array_equal(model.translate(pixels[None])[0], translated)


def test_alpha_turns_with_its_image(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgba()).save(tmp_path / "turned.png", exif=exif)
    translated = model.translate(tmp_path / "turned.png")
    np.testing.assert_array_equal(translated[:, :, 3], np.rot90(rgba()[:, :, 3], -1))


def test_colours_under_full_transparency_have_no_influence(model):
    pixels = rgba()
    hidden = pixels.copy()
    hidden[pixels[:, :, 3] == 0, :3] = 17
    np.testing.assert_array_equal(model.translate(hidden), model.translate(pixels))


def test_gray_with_alpha(model):
    pixels = rgba()[:, :, 2:]
    translated = model.translate(Image.fromarray(pixels))
    assert translated.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(translated)[:, :, 3], pixels[:, :, 1])


# --- one graph, bounded batches ----------------------------------------------------------------


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a tf.function")
def test_one_graph_serves_every_number_and_size():
    model = two_way(resnet(), None)
    graph = runner(model.generator_ab)._current_graph()
    for size in ((8 + i, 33 - 2 * i) for i in range(10)):
        model.translate(noise(*size, 3))
        model.translate(noise(2, *size, 3))
    assert runner(model.generator_ab)._current_graph() is graph
    assert graph.experimental_get_tracing_count() == 1


def test_new_weights_are_seen():
    model = two_way(resnet(), None)
    before = model.translate(noise(8, 8, 3))
    model.generator_ab.set_weights([3 * w for w in model.generator_ab.get_weights()])
    assert_close(model.translate(noise(8, 8, 3)), by_hand(model.generator_ab, noise(8, 8, 3), 4))
    assert np.abs(model.translate(noise(8, 8, 3)).astype(int) - before).max() > 10


def test_a_model_that_has_translated_saves_and_pickles(tmp_path):
    model = two_way(resnet(), resnet())
    expected = model.translate(noise(9, 8, 3))
    model.save(tmp_path / "model.keras")
    for copy in (
        keras.saving.load_model(tmp_path / "model.keras"),
        pickle.loads(pickle.dumps(model)),
    ):
        assert_close(copy.translate(noise(9, 8, 3)), expected)


def test_translating_does_not_keep_a_generator_alive():
    generator = resnet()
    model = CycleGAN(generator, None, None, None, image_shape=(32, 32, 3))
    model.translate([noise(8, 8, 3), noise(8, 40, 3)], tile=16)
    del model
    reference = weakref.ref(generator)
    del generator
    gc.collect()
    assert reference() is None


def test_batches_hold_a_bounded_number_of_pixels(model, monkeypatch):
    shapes = []
    monkeypatch.setattr(module, "BATCH_PIXELS", 200)
    monkeypatch.setattr(
        Runner, "__call__", lambda self, images: shapes.append(images.shape) or images
    )
    images = [noise(8, 8, 3) for _ in range(7)] + [noise(30, 30, 3)]
    model.translate(images)
    assert [shape[:3] for shape in shapes] == [(3, 8, 8), (3, 8, 8), (1, 8, 8), (1, 30, 30)]
    shapes.clear()
    model.translate(images, batch_size=4)
    assert [shape[0] for shape in shapes] == [4, 3, 1]


# --- directions --------------------------------------------------------------------------------


def test_direction_chooses_the_generator(model):
    pixels = noise(16, 16, 3)
    assert_close(model.translate(pixels, "b_to_a"), by_hand(model.generator_ba, pixels, 4))
    difference = model.translate(pixels, "b_to_a").astype(int) - model.translate(pixels)
    assert np.abs(difference).max() > 5


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_reconstruct_goes_there_and_back(model, direction):
    images = to_unit(noise(2, 10, 13, 3))
    back = "b_to_a" if direction == "a_to_b" else "a_to_b"
    expected = model.translate(model.translate(images, direction), back)
    np.testing.assert_allclose(model.reconstruct(images, direction), expected, atol=1e-5)


def test_one_way_model_refuses_the_other_way():
    one_way = two_way(resnet(), None)
    assert one_way.translate(noise(8, 8, 3)).shape == (8, 8, 3)
    for call in (
        lambda: one_way.translate(noise(8, 8, 3), "b_to_a"),
        lambda: one_way.reconstruct(noise(8, 8, 3)),
    ):
        with pytest.raises(ValueError, match="only translates 'a_to_b': it has no generator"):
            call()


def test_unknown_direction(model):
    with pytest.raises(ValueError, match=r"'a_to_b', 'b_to_a'\. Received direction='ab'"):
        model.translate(noise(8, 8, 3), direction="ab")


# --- bad input ---------------------------------------------------------------------------------


def nan_at(*index):
    image = np.zeros((8, 8, 3), "float32")
    image[index] = np.nan
    return image


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (7, TypeError, r"Received 7 \(int\)"),
        (None, TypeError, "Received None"),
        (nan_at(2, 5, 1), ValueError, r"NaN or infinity, first at index \(2, 5, 1\)"),
        (np.full((8, 8, 3), np.inf), ValueError, "NaN or infinity"),
        (np.full((8, 8, 3), 255.0), ValueError, "from 255 to 255; pixels of 0 … 255 are uint8"),
        (np.full((8, 8, 3), -1.01), ValueError, r"must be in \[-1, 1\]"),
        (np.zeros((8, 8, 3), "int64"), ValueError, "dtype int64"),
        (np.zeros((8, 8, 3), "uint16"), ValueError, "dtype uint16"),
        (np.zeros((0, 8, 3), "uint8"), ValueError, r"no pixels. Received an array of shape \(0"),
        (np.zeros((0, 8, 8, 3), "uint8"), ValueError, "holds no image"),
        (np.zeros((2, 0, 8, 3), "uint8"), ValueError, "no pixels"),
        (Image.new("RGB", (0, 4)), ValueError, r"no pixels. Received a PIL image of size \(0, 4\)"),
        (np.zeros((8, 8, 5), "uint8"), ValueError, "3 channels are needed.*1 more with alpha"),
        (np.zeros((8, 8, 4), "float32"), ValueError, r"3 channels are needed.*\(8, 8, 4\)"),
        (np.zeros((2, 8, 8, 2), "uint8"), ValueError, "3 channels are needed"),
        (np.zeros(8, "uint8"), ValueError, r"An image has shape.*\(8,\)"),
        (np.zeros((1, 2, 8, 8, 3), "uint8"), ValueError, "An image has shape"),
        ([np.zeros((2, 8, 8, 3), "uint8")], ValueError, r"images\[0\]: "),
        ([np.zeros((8, 8, 3), "uint8"), "x" * 9], FileNotFoundError, "xxx"),
        (Image.fromarray(np.zeros((4, 4), "float32")), ValueError, "no known range"),
    ],
)
def test_what_is_no_image_is_refused(model, image, error, message):
    with pytest.raises(error, match=message):
        model.translate(image)


def test_files_that_are_no_images_are_refused(model, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    for name in ("text.png", "empty.png", "cut.jpg"):
        with pytest.raises(ValueError, match=rf"Can't read .*{name} as an image: "):
            model.translate(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        model.translate(tmp_path)


def test_huge_files_are_refused_unless_allowed(model, tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("L", (60, 50)).save(path)
    message = "bomb.png has 50×60 = 3000 pixels, more than `max_pixels` = 2999"
    with pytest.raises(TooManyPixelsError, match=message):
        model.translate(path, max_pixels=2999)
    assert model.translate(path, max_pixels=3000).shape == (50, 60, 3)


def test_the_limit_can_be_raised_above_pillows_own(model, tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    Image.new("L", (60, 50)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow raises from 2000 on
    assert model.translate(path).shape == (50, 60, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_errors_come_before_any_work(model, monkeypatch):
    monkeypatch.setattr(
        Runner, "__call__", lambda *_: pytest.fail("translated before all was read")
    )
    with pytest.raises(ValueError, match=r"images\[1\]: The image holds NaN"):
        model.translate([noise(8, 8, 3), nan_at(0, 0, 0)])
