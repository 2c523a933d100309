"""Statistics of sample images as weights: any part of an image gives the pixels of the whole."""

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.inference import tiles
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.layers import FrozenNormalization
from keras_cyclegan.networks import ResNetGenerator, UGATITGenerator, UNetGenerator


def resnet(**options):
    keras.utils.set_random_seed(4)
    generator = ResNetGenerator((32, 32, 3), filters=4, num_blocks=1, **options)
    rng = np.random.default_rng(0)
    generator.set_weights([w + rng.normal(0, 0.2, w.shape) for w in generator.get_weights()])
    return generator


def uneven(height=96, width=160):
    """Dark on the left, bright and rough on the right: parts differ in their statistics."""
    ramp = np.linspace(0, 200, width)[None, :, None] * np.ones((height, 1, 3))
    return np.uint8(ramp + np.random.default_rng(0).integers(0, 56, (height, width, 3)))


def one_way(generator):
    return CycleGAN(generator, None, None, None, image_shape=(32, 32, 3))


def levels(first, second):
    return np.abs(first.astype(int) - second).max()


NETWORKS = {
    "resnet": lambda: resnet(input_skip=True),
    "affine, resized": lambda: resnet(affine_norm=True, upsampling="resize"),
    "unet": lambda: UNetGenerator((32, 32, 3), filters=4, num_downsamplings=5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_on_an_image_it_translates_that_image_as_before(name):
    model, pixels = one_way(NETWORKS[name]()), uneven()
    frozen = model.freeze_statistics(pixels)
    assert levels(frozen.translate(pixels), model.translate(pixels)) <= 1
    other = uneven()[:, :64]
    assert levels(frozen.translate(other), model.translate(other)) > 5


def test_a_part_with_its_margin_gives_the_pixels_of_the_whole_in_one_pass(monkeypatch):
    pixels = uneven(200, 260)
    frozen = one_way(resnet()).freeze_statistics([uneven(64, 64), uneven(32, 48)])
    (stage,), _ = runner(frozen.generator_ab).stages
    whole = frozen.translate(pixels, tile=None)
    part = frozen.translate(pixels[40:160, 60:220], tile=None)
    inner = slice(stage.margin, -stage.margin)
    kept = whole[40:160, 60:220][inner, inner]
    assert kept.size > 1000
    assert levels(part[inner, inner], kept) <= 1
    monkeypatch.setattr(tiles, "_Map", lambda *_: pytest.fail("a temporary file"))
    for tile in (32, 64):
        assert levels(frozen.translate(pixels, tile=tile), whole) <= 1


def test_samples_count_together_as_the_image_that_they_are_parts_of():
    """Apart from their borders: more than any of them alone."""
    model, pixels = one_way(resnet()), uneven(128, 256)
    exact = model.translate(pixels).astype(int)

    def away(samples):
        return np.abs(model.freeze_statistics(samples).translate(pixels) - exact).mean()

    parts = [pixels[:, i : i + 64] for i in range(0, 256, 64)]
    assert away(parts) < 0.3 * min(away(part) for part in parts)


def test_it_is_saved_exported_and_a_preset(tmp_path):
    frozen = one_way(resnet(input_skip=True)).freeze_statistics(uneven())
    frozen.set_scale("detail")
    pixels = uneven(50, 70)
    expected = frozen.translate(pixels)
    frozen.save_to_preset(tmp_path / "preset")
    frozen.save(tmp_path / "frozen.keras")
    copies = [
        CycleGAN.from_preset(tmp_path / "preset"),
        keras.saving.load_model(tmp_path / "frozen.keras"),
    ]
    for copy in copies:
        norms = [x for x in copy.generator_ab.layers if isinstance(x, FrozenNormalization)]
        assert len(norms) == 7
        np.testing.assert_array_equal(copy.translate(pixels), expected)
    assert copies[0].scale == "detail"
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        frozen.export(tmp_path / "served")
        served = tf.saved_model.load(str(tmp_path / "served"))
        assert levels(served.a_to_b(pixels[None]).numpy()[0], expected) <= 1


def test_the_other_direction_and_the_original_are_left_alone():
    model = CycleGAN(resnet(), resnet(affine_norm=True), None, None, image_shape=(32, 32, 3))
    before = model.translate(uneven(), "b_to_a")
    frozen = model.freeze_statistics(uneven(), direction="b_to_a")
    assert levels(frozen.translate(uneven(), "b_to_a"), before) <= 1
    assert frozen.generator_ab is None
    np.testing.assert_array_equal(model.translate(uneven(), "b_to_a"), before)


def test_a_network_that_looks_at_everything_is_refused():
    ugatit = UGATITGenerator((32, 32, 3), filters=2, num_blocks=1)
    with pytest.raises(ValueError, match="can't be tiled"):
        one_way(ugatit).freeze_statistics(uneven())
    images = keras.Input((None, None, 3))
    plain = keras.Model(images, keras.layers.Conv2D(3, 3, padding="same")(images))
    with pytest.raises(ValueError, match="no instance norm to freeze"):
        one_way(plain).freeze_statistics(uneven())
