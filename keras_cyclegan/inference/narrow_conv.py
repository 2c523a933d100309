"""Faster convolutions to few channels for tiles, in networks of any layers."""

import keras
from keras import layers, ops

from keras_cyclegan.layers.convolutions import LANES, NarrowConv2D, four_pixels_at_a_time


def is_narrow(layer, images):
    """Return whether `call_narrow` gives the same as a layer, and saves time: `NarrowConv2D`."""
    known = type(layer) in (layers.Conv2D, NarrowConv2D)
    if not known or keras.backend.backend() != "tensorflow":
        return False
    plain = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    plain = plain and layer.padding == "valid" and layer.data_format == "channels_last"
    fits = 4 * layer.filters <= LANES and min(layer.kernel_size) >= 5
    even = all((n - k) % 2 for n, k in zip(images.shape[1:3], layer.kernel_size, strict=True))
    return plain and fits and even


def call_narrow(layer, images):
    """Call a layer for which `is_narrow` is true.

    Args:
        layer: `keras.layers.Conv2D`.
        images: `(n, height, width, channels)`.

    Returns:
        `(n, height - kernel + 1, width - kernel + 1, filters)`.
    """
    images, kernel = (ops.cast(x, layer.compute_dtype) for x in (images, layer.kernel))
    outputs = four_pixels_at_a_time(images, kernel)
    if layer.use_bias:
        outputs = outputs + ops.cast(layer.bias, layer.compute_dtype)
    return outputs if layer.activation is None else layer.activation(outputs)
