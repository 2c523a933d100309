import keras
import numpy as np
import pytest

from keras_cyclegan.layers import DifferentiableAugmentation
from keras_cyclegan.layers.pool import random_integers

pytestmark = pytest.mark.backend
NOTHING = dict.fromkeys(DifferentiableAugmentation.strengths, 0.0)


def only(seed=0, **strengths):
    return DifferentiableAugmentation(**{**NOTHING, **strengths}, seed=seed)


def images(count=3, height=12, width=8):
    shape = (count, height, width, 3)
    return np.random.RandomState(0).uniform(-1, 1, shape).astype("float32")


def augment(layer, given):
    return keras.ops.convert_to_numpy(layer(given, training=True))


def draws(count, seed=0):
    """The numbers in [-1, 1) of the first call: seven for each image."""
    state = keras.random.SeedGenerator(seed).next()
    integers = keras.ops.convert_to_numpy(random_integers(state, 7 * count))
    return (integers / 2.0**30 - 1).reshape(7, count)


def test_brightness_is_added_to_the_whole_image():
    expected = images() + 0.5 * draws(3)[0].reshape(3, 1, 1, 1)
    np.testing.assert_allclose(augment(only(brightness=0.5), images()), expected, atol=1e-5)


def test_saturation_scales_the_distance_from_gray():
    gray = images().mean(axis=3, keepdims=True)
    expected = gray + (1 + 0.6 * draws(3)[1].reshape(3, 1, 1, 1)) * (images() - gray)
    np.testing.assert_allclose(augment(only(saturation=0.6), images()), expected, atol=1e-5)


def test_contrast_scales_the_distance_from_the_mean():
    mean = images().mean(axis=(1, 2, 3), keepdims=True)
    expected = mean + (1 + 0.4 * draws(3)[2].reshape(3, 1, 1, 1)) * (images() - mean)
    np.testing.assert_allclose(augment(only(contrast=0.4), images()), expected, atol=1e-5)


def test_translation_shifts_each_image_and_leaves_gray_behind():
    shifted = augment(only(translation=0.5), images())
    down, right = (np.round(0.5 * draws(3)[3:5] * [[12], [8]])).astype(int)
    assert len({*zip(down, right, strict=True)}) == 3
    for image, moved, y, x in zip(images(), shifted, down, right, strict=True):
        expected = np.zeros_like(image)
        rows = [(i, i - y) for i in range(12) if 0 <= i - y < 12]
        columns = [(j, j - x) for j in range(8) if 0 <= j - x < 8]
        for i, source_i in rows:
            for j, source_j in columns:
                expected[i, j] = image[source_i, source_j]
        np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_cutout_covers_a_square_of_each_image_and_nothing_else():
    covered = augment(only(cutout=0.5), images(count=6, height=16, width=16))
    gone = (covered == 0).all(axis=3)
    np.testing.assert_allclose(covered[~gone], images(6, 16, 16)[~gone], atol=1e-6)
    centres = (draws(6)[5:] + 1) / 2 * 16
    for mask, y, x in zip(gone, *centres, strict=True):
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        assert mask.sum() == len(rows) * len(columns) > 0
        assert abs(rows.mean() + 0.5 - np.clip(y, len(rows) / 2, 16 - len(rows) / 2)) < 1
        assert abs(columns.mean() + 0.5 - np.clip(x, len(columns) / 2, 16 - len(columns) / 2)) < 1
        assert max(len(rows), len(columns)) <= 8


def test_nothing_happens_outside_of_training():
    layer = DifferentiableAugmentation(seed=0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images())), images())


def test_each_call_draws_anew_and_a_seed_repeats_itself():
    first, second = DifferentiableAugmentation(seed=7), DifferentiableAugmentation(seed=7)
    once = augment(first, images())
    assert np.abs(augment(first, images()) - once).max() > 0.01
    np.testing.assert_array_equal(augment(second, images()), once)


def test_config_round_trip():
    layer = DifferentiableAugmentation(brightness=0.1, cutout=0.25, seed=3)
    copy = DifferentiableAugmentation.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


def test_a_negative_strength_is_refused():
    with pytest.raises(ValueError, match="Received cutout=-1"):
        DifferentiableAugmentation(cutout=-1)
