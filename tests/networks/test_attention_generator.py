"""A generator that paints only where its masks say."""

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import AttentionGenerator


def small_generator():
    return AttentionGenerator((16, 16, 3), filters=4, num_blocks=1, foregrounds=2)


def random_images(height, width):
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, (2, height, width, 3)).astype("float32")


def test_attention_generator_blends_its_foregrounds_with_the_image():
    network = small_generator()
    images = random_images(16, 16)
    parts = keras.Model(
        network.input, [network.get_layer(name).output for name in ("content", "attention")]
    )
    painted, masks = (keras.ops.convert_to_numpy(part) for part in parts(images))
    np.testing.assert_allclose(masks.sum(-1), 1.0, atol=1e-5)
    expected = (
        painted[..., :3] * masks[..., :1]
        + painted[..., 3:] * masks[..., 1:2]
        + images * masks[..., 2:]
    )
    np.testing.assert_allclose(network(images), expected, atol=1e-5)
    np.testing.assert_allclose(network.foreground(images), 1 - masks[..., 2:], atol=1e-6)


def test_attention_generator_keeps_the_image_where_it_sees_background():
    network = small_generator()
    network.get_layer("attention_head_conv").bias.assign([-50.0, -50.0, 50.0])
    images = random_images(16, 16)
    np.testing.assert_allclose(network(images), images, atol=1e-6)
    assert float(keras.ops.max(network.foreground(images))) < 1e-6


@pytest.mark.parametrize("foregrounds", [1, 2])
def test_with_an_input_skip_each_foreground_is_what_the_head_adds_to_the_image(foregrounds):
    network = AttentionGenerator(
        (16, 16, 3), 4, 1, foregrounds, shared_decoder=foregrounds == 1, input_skip=True
    )
    images = random_images(16, 16)
    head = network.get_layer("content_head_conv")
    parts = keras.Model(network.input, [head.output, network.get_layer("content").output])
    h, painted = (keras.ops.convert_to_numpy(part) for part in parts(images))
    image = np.concatenate([images] * foregrounds, axis=-1)
    np.testing.assert_allclose(painted, np.tanh(h + np.arctanh(0.98 * image)), atol=1e-5)
    assert np.abs(keras.ops.convert_to_numpy(network(images)) - images).max() < 0.1
    network.get_layer("content_head_conv").bias.assign(np.full(3 * foregrounds, 9.0))
    changed = keras.ops.convert_to_numpy(network(images)) - images
    painting = keras.ops.convert_to_numpy(network.foreground(images))
    np.testing.assert_allclose(changed, painting * (1 - images), atol=1e-3)


def test_attention_generator_is_translated_with_at_any_size():
    """Its output takes the images' shape, which must not hide that the decoders' differs."""
    image = np.random.default_rng(0).integers(0, 256, (13, 18, 3), "uint8")
    model = CycleGAN(small_generator(), None, None, None, image_shape=(16, 16, 3))
    assert model.translate(image).shape == (13, 18, 3)


def test_foreground_refuses_sizes_that_the_network_does_not_give_back():
    with pytest.raises(ValueError, match="Received 15×16"):
        small_generator().foreground(random_images(15, 16))
