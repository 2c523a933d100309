"""A generator on frozen features: sizes, gradients, files, presets and exports."""

import numpy as np
import pytest
from keras import ops

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import FeatureGenerator, efficientnet
from keras_cyclegan.networks.encoders import EncoderInput
from keras_cyclegan.networks.feature import BilinearDoubling2D


@pytest.fixture(scope="module", params=["resize", "bilinear"])
def generator(request):
    return FeatureGenerator((64, 64, 3), filters=3, upsampling=request.param)


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def test_begins_near_the_identity_at_every_multiple_of_32(generator):
    for size in ((32, 64), (96, 32)):
        x = images(2, *size, 3)
        y = ops.convert_to_numpy(generator(x))
        assert y.shape == x.shape
        assert 0 < np.abs(y - 0.98 * x).mean() < 0.1
    with pytest.raises(ValueError, match="multiple"):
        generator(images(1, 48, 64, 3))


def test_the_encoder_is_frozen_and_the_rest_is_trained(generator):
    frozen = {layer.name for layer in generator.layers if layer.name in generator.frozen_layers}
    trained = {v.path.split("/")[-2] for v in generator.trainable_variables}
    assert frozen
    assert not trained & frozen
    assert {"stem1_conv", "deepest_conv", "up1_conv", "head_conv"} <= trained


def test_a_change_of_the_image_reaches_the_output_through_the_encoder(generator):
    """The cycle needs it: nothing stops between the image and the features."""
    generator.get_layer("head_conv").kernel.assign(
        np.random.default_rng(1).normal(size=generator.get_layer("head_conv").kernel.shape)
    )
    x = images(1, 64, 64, 3)
    encoder = [layer for layer in generator.layers if layer.name in generator.frozen_layers]
    kernel = next(layer for layer in encoder if layer.name.endswith("conv_stem")).kernel
    before, value = ops.convert_to_numpy(generator(x)), ops.convert_to_numpy(kernel)
    kernel.assign(value + 0.5)
    after = ops.convert_to_numpy(generator(x))
    kernel.assign(value)
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_encoder_sees_three_channels_of_any_number(channels):
    x = images(1, 4, 4, channels)
    seen = ops.convert_to_numpy(EncoderInput()(x))
    mean, deviation = (np.array(v, "float32") for v in (efficientnet.MEAN, efficientnet.DEVIATION))
    chosen = [i % channels for i in range(3)]
    np.testing.assert_allclose(seen, ((x[..., chosen] + 1) / 2 - mean) / deviation, atol=1e-5)


@pytest.mark.parametrize("half_precision", [False, True])
def test_a_preset_holds_the_frozen_weights_once_and_needs_no_package(
    tmp_path, monkeypatch, half_precision
):
    model = CycleGAN(
        *(FeatureGenerator((64, 64, 3), filters=3, name=f"generator_{n}") for n in ("ab", "ba")),
        None,
        None,
        image_shape=(64, 64, 3),
    )
    model.save_to_preset(tmp_path / "preset", half_precision=half_precision)
    encoder = sum(
        layer.count_params()
        for layer in model.generator_ab.layers
        if layer.name in model.generator_ab.frozen_layers
    )
    trained = sum(
        int(np.prod(v.shape)) for network in model.generators() for v in network.trainable_variables
    )
    stored = (tmp_path / "preset" / "model.weights.h5").stat().st_size
    assert stored < (2 if half_precision else 4) * (encoder + trained) + 400_000

    def absent(variant):
        raise ImportError

    monkeypatch.setattr(efficientnet, "folded_state", absent)
    loaded = CycleGAN.from_preset(tmp_path / "preset")
    x = images(1, 64, 64, 3)
    for before, after in zip(model.generators(), loaded.generators(), strict=True):
        before, after = (ops.convert_to_numpy(network(x)) for network in (before, after))
        assert np.abs(before - after).max() < (0.02 if half_precision else 1e-5)


def test_tiles_and_any_size_are_translated(generator):
    model = CycleGAN(generator, None, None, None, image_shape=(64, 64, 3))
    photo = np.random.default_rng(0).integers(0, 256, (150, 131, 3), "uint8")
    whole = model.translate(photo)
    assert whole.shape == photo.shape
    tiled = model.translate(photo, tile=64)
    assert np.abs(whole.astype(int) - tiled).max() <= 2


def test_bilinear_doubling_is_that_of_keras():
    x = images(2, 5, 7, 3)
    expected = ops.image.resize(x, (10, 14), interpolation="bilinear")
    np.testing.assert_allclose(
        ops.convert_to_numpy(BilinearDoubling2D()(x)), ops.convert_to_numpy(expected), atol=1e-6
    )


def test_an_unknown_encoder_is_refused():
    with pytest.raises(ValueError, match="efficientnet-lite1"):
        FeatureGenerator(encoder="vgg")
