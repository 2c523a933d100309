"""A photo is translated at the size that the network knows; its own pixels get the change."""

import json
import pickle

import keras
import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.working_size import _add, _resize, _slope
from keras_cyclegan.networks import ResNetGenerator


def resnet(channels=3, output_channels=3, input_skip=True, seed=1):
    keras.utils.set_random_seed(seed)
    generator = ResNetGenerator(
        (32, 32, channels), output_channels, filters=4, num_blocks=1, input_skip=input_skip
    )
    head = generator.get_layer("head_conv")
    factor = 10 if input_skip else 1
    head.set_weights([factor * weights for weights in head.get_weights()])
    return generator


def model_of(generator, back=None, size=32):
    channels = generator.input_shape[-1]
    model = CycleGAN(generator, back, None, None, image_shape=(32, 32, channels))
    model.set_scale("whole", size)
    return model


@pytest.fixture(scope="module")
def model():
    return model_of(resnet(), resnet(seed=2))


def photo(height=96, width=130, channels=3):
    """Smooth colours with fine noise, which is lost at the working size."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 8, channels), "uint8")
    smooth = np.stack(
        [
            np.asarray(Image.fromarray(c).resize((width, height), 3))
            for c in coarse.transpose(2, 0, 1)
        ],
        axis=-1,
    )
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype("uint8")


def shrink(pixels, size):
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC))


# --- what is added -----------------------------------------------------------------------------


def test_a_network_of_an_input_skip_is_asked_for_exactly_what_it_adds_before_its_tanh(model):
    pixels = to_unit(photo(32, 32))[None]
    change = runner(runner(model.generator_ab).change)(pixels)
    skip = change + np.arctanh(np.clip(0.98 * pixels, -0.99, 0.99))
    np.testing.assert_allclose(np.tanh(skip), runner(model.generator_ab)(pixels), atol=1e-5)
    assert np.abs(change).max() > 0.1
    assert runner(resnet(input_skip=False)).change is None


def test_the_network_works_at_the_working_size_and_the_result_has_the_photo_s_own(model):
    pixels = photo()
    translated = model.translate(pixels)
    assert translated.shape == pixels.shape
    small = shrink(pixels, (32, 44))  # both multiples of what the network takes
    expected = model.translate(small)  # too small to be reduced
    changes = [image.astype(int) - small for image in (shrink(translated, (32, 44)), expected)]
    assert np.corrcoef(*(change.ravel() for change in changes))[0, 1] > 0.8


def test_a_network_that_changes_nothing_leaves_every_pixel_as_it_was():
    images = keras.Input((None, None, 3))
    same = keras.Model(images, keras.layers.Activation("linear")(images))
    pixels = photo()
    translated = model_of(same).translate(pixels)
    assert np.abs(translated.astype(int) - pixels).max() <= 1  # 1 or -1 are clipped before artanh


@pytest.mark.parametrize("input_skip", [True, False])
def test_details_of_the_photo_stay_where_a_plain_enlargement_loses_them(input_skip):
    made = model_of(resnet(input_skip=input_skip))
    pixels = photo(160, 200)

    def details(image):
        return np.abs(np.diff(image.astype(int), axis=0)).mean()

    enlarged = shrink(made.translate(shrink(pixels, (32, 40))), pixels.shape[:2])
    assert details(made.translate(pixels)) > 2 * details(enlarged)


def test_the_change_follows_an_edge_of_the_photo_that_the_working_size_has_blurred():
    """White on the left is darkened, black on the right isn't; the edge lies between two pixels."""
    pixels = np.full((64, 64, 1), 0.8, "float32")
    pixels[:, 30:] = -0.8
    small = _resize(pixels, (16, 16))
    change = -0.5 * (small + 0.8) / 1.6
    guided = np.arctanh(_add(pixels, small, change, 1.0)) - np.arctanh(0.98 * pixels)
    plain = _resize(change, (64, 64))
    truth = np.where(pixels > 0, -0.5, 0.0)
    assert np.abs(guided - truth).mean() < 0.5 * np.abs(plain - truth).mean()
    flat = np.full((16, 16, 1), 0.3, "float32")
    assert not _slope(flat, change).any()  # nothing to follow


def test_strips_join_without_a_seam(model, monkeypatch):
    pixels = photo(200, 150)
    whole = model.translate(pixels)
    monkeypatch.setattr("keras_cyclegan.inference.working_size.STRIP", 7 * 150)
    assert np.abs(model.translate(pixels).astype(int) - whole).max() <= 1  # rounding


# --- kinds -------------------------------------------------------------------------------------


def test_floats_files_and_batches_are_what_arrays_are(model, tmp_path):
    pixels = photo()
    expected = model.translate(pixels)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    np.testing.assert_array_equal(model.translate(tmp_path / "photo.png"), expected)
    np.testing.assert_array_equal(np.asarray(model.translate(Image.fromarray(pixels))), expected)
    floats = from_unit(model.translate(to_unit(pixels)))
    assert np.abs(floats.astype(int) - expected).max() <= 4  # shrunk without rounding
    small = photo(20, 24)
    mixed = model.translate([small, pixels, small])
    np.testing.assert_array_equal(mixed[1], expected)
    np.testing.assert_array_equal(mixed[0], model.translate(small, working_size=None))
    alpha = np.dstack([pixels, pixels[:, :, 0]])
    np.testing.assert_array_equal(model.translate(alpha)[:, :, 3], alpha[:, :, 3])


def test_a_translation_to_other_channels_is_enlarged():
    gray_to_colour = model_of(resnet(1, 3, input_skip=False))
    pixels = photo(channels=1)[:, :, 0]
    translated = gray_to_colour.translate(pixels)
    assert translated.shape == (96, 130, 3)
    small = gray_to_colour.translate(shrink(pixels, (32, 44)))
    expected = shrink(small, (96, 130)).astype(int)
    assert np.abs(translated - expected).mean() < 2 < np.abs(pixels[:, :, None] - expected).mean()


def test_a_round_trip_changes_as_much_as_that_of_the_small_photo(model):
    pixels = photo()
    small = shrink(pixels, (32, 44))
    expected = np.abs(model.reconstruct(small).astype(int) - small).mean()
    assert model.reconstruct(pixels).shape == pixels.shape
    found = np.abs(model.reconstruct(pixels).astype(int) - pixels).mean()
    assert 0.5 * expected < found < 1.5 * expected


# --- which size --------------------------------------------------------------------------------


def seen_sizes(model, monkeypatch, *args, **options):
    """The sizes of images that generators, or their networks of change, were called with."""
    sizes, translate_tiled = [], type(runner(model.generator_ab)).__call__

    def spy(self, images):
        sizes.append(images.shape[1:3])
        return translate_tiled(self, images)

    with monkeypatch.context() as patch:
        patch.setattr("keras_cyclegan.inference.runner.Runner.__call__", spy)
        model.translate(*args, **options)
    return sizes


def test_auto_is_the_model_s_own_size_and_none_the_photo_s(model, monkeypatch):
    pixels = photo()
    assert seen_sizes(model, monkeypatch, pixels) == [(32, 44)]
    assert seen_sizes(model, monkeypatch, pixels, working_size=None) == [(96, 130)]
    assert seen_sizes(model, monkeypatch, pixels, working_size=48) == [(48, 64)]
    assert seen_sizes(model, monkeypatch, photo(40, 130)) == [(40, 130)]  # hardly larger
    unknown = model_of(model.generator_ab)
    unknown.set_scale("detail")
    assert seen_sizes(unknown, monkeypatch, pixels) == [(96, 130)]


@pytest.mark.parametrize("size", [3, "whole", 12.5, True])
def test_what_is_no_working_size_is_refused(model, size):
    with pytest.raises(ValueError, match=r'`working_size` is "auto".* Received working_size='):
        model.translate(photo(), working_size=size)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("half", None), "`scale` must be one of"),
        (("whole", None), "have a working size"),
        (("detail", 128), "nothing else has"),
        (("whole", 2), "at least 4"),
    ],
)
def test_what_is_no_scale_is_refused(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.set_scale(*given)
    assert (model.scale, model.working_size) == ("whole", 32)


def test_a_preset_keeps_the_scale(model, tmp_path):
    model.save_to_preset(tmp_path / "mine")
    copy = CycleGAN.from_preset(tmp_path / "mine")
    assert (copy.scale, copy.working_size) == ("whole", 32)
    assert "whole photos, 32 pixels on the short side" in (tmp_path / "mine/README.md").read_text()
    metadata = json.loads((tmp_path / "mine/metadata.json").read_text())
    metadata["working_size"] = "large"
    (tmp_path / "mine/metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="working_size='large'"):
        CycleGAN.from_preset(tmp_path / "mine")


def test_a_file_and_a_pickle_keep_the_scale(model, tmp_path):
    model.save(tmp_path / "model.keras")
    copies = keras.saving.load_model(tmp_path / "model.keras"), pickle.loads(pickle.dumps(model))
    assert [(copy.scale, copy.working_size) for copy in copies] == 2 * [("whole", 32)]


def test_a_shipped_preset_knows_its_size():
    shipped = CycleGAN.from_preset("horse2zebra")
    assert (shipped.scale, shipped.working_size) == ("whole", 160)
