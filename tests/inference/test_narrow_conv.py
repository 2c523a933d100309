"""The convolution to few channels equals the layer that it replaces."""

import keras
import numpy as np
import pytest

from keras_cyclegan.inference.narrow_conv import call_narrow, is_narrow

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="was measured on TensorFlow"
)


def layer(filters=3, kernel_size=7, **options):
    made = keras.layers.Conv2D(
        filters, kernel_size, bias_initializer="normal", kernel_initializer="normal", **options
    )
    made.build((None, None, None, 5))
    return made


def images(height, width):
    return np.random.default_rng(0).normal(size=(2, height, width, 5)).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filters": 1, "kernel_size": (5, 9)},
        {"filters": 4, "kernel_size": 6, "use_bias": False},
        {"activation": "tanh"},
    ],
)
def test_four_pixels_at_a_time_are_the_layer_s_own(options):
    conv = layer(**options)
    high, wide = conv.kernel_size
    x = images(high + 11, wide + 17)
    assert is_narrow(conv, x)
    np.testing.assert_allclose(call_narrow(conv, x), conv(x), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (20, 21)),  # an odd side of the output
        ({"padding": "same"}, (20, 20)),
        ({"strides": 2}, (20, 20)),
        ({"dilation_rate": 2}, (20, 20)),
        ({"filters": 5}, (20, 20)),
        ({"kernel_size": 3}, (20, 20)),
    ],
)
def test_other_convolutions_are_left_alone(options, size):
    assert not is_narrow(layer(**options), images(*size))
