"""A preset whose generators change images more: what they add, times a factor."""

import sys

import keras
import numpy as np

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import ResNetGenerator


def test_what_a_generator_adds_is_multiplied_in_the_direction_asked_for(
    script, tmp_path, monkeypatch
):
    keras.utils.set_random_seed(0)
    options = {"filters": 4, "num_blocks": 1, "input_skip": True}
    pair = [ResNetGenerator((16, 16, 3), **options) for _ in range(2)]
    model = CycleGAN(*pair, None, None, image_shape=(16, 16, 3))
    model.save_to_preset(tmp_path / "weak")
    command = ["strength.py", str(tmp_path / "weak"), str(tmp_path / "strong"), "--a-to-b", "1.75"]
    monkeypatch.setattr(sys, "argv", command)
    script("presets/strength").main()
    strong = CycleGAN.from_preset(tmp_path / "strong")

    images = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    skip = np.arctanh(0.98 * images)
    for before, after, factor in zip(
        model.generators(), strong.generators(), (1.75, 1), strict=True
    ):
        added, added_after = (np.arctanh(np.asarray(one(images))) - skip for one in (before, after))
        assert np.abs(added).max() > 0.01
        np.testing.assert_allclose(added_after, factor * added, atol=0.01 * np.abs(added).max())
