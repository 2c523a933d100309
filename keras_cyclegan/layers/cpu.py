"""Faster ways to the same result, where TensorFlow computes on a processor with oneDNN.

They are taken in training, when this process translates, and in exported graphs, where LiteRT, ONNX
Runtime and TensorFlow Serving gain from them too. The layers themselves stand in the other files.
"""

import contextlib
import contextvars

import keras
import numpy as np
from keras import ops

from keras_cyclegan.processor import has_accelerator

LANES = 16  # float32 values that a processor with AVX-512 computes at once
MAX_IMAGES = 8  # that are normalised one after the other
# Which of a 3×3 kernel's rows meet in each row of a 4×4 kernel that reads pixels before doubling.
ROWS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], "float32")

_even = contextvars.ContextVar("even", default=None)  # None outside of `fast_paths`


@contextlib.contextmanager
def fast_paths(even=False):
    """Let layers take their fast ways outside of training too; `even`: unknown sides are even."""
    before = _even.set(even)
    try:
        yield
    finally:
        _even.reset(before)


def takes_fast_path(training):
    """Return whether a layer should take its fast way; `training` is the layer's argument."""
    wanted = bool(training) or _even.get() is not None
    return wanted and keras.backend.backend() == "tensorflow" and not has_accelerator()


def is_narrow(layer, images):
    """Return whether a convolution of stride 1 has few outputs, a large kernel, an even output."""
    # oneDNN computes 16 output channels at once, and throws 13 of them away where there are 3.
    plain = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    few = 4 * layer.filters <= LANES and min(layer.kernel_size) >= 5
    even = (
        _even.get() if side is None else (side - kernel) % 2 == 1
        for side, kernel in zip(images.shape[1:3], layer.kernel_size, strict=True)
    )
    return plain and layer.padding == "valid" and few and all(even)


def convolve_four_pixels_at_a_time(images, kernel):
    """Convolve with stride 1 and without padding, to an output of even height and width."""
    # The four pixels of a 2×2 square become channels of one convolution with stride 2, whose kernel
    # is one pixel larger and holds the given one four times, shifted. Gradients gain too.
    shifted = [
        ops.pad(kernel, ((down, 1 - down), (across, 1 - across), (0, 0), (0, 0)))
        for down in range(2)
        for across in range(2)
    ]
    four = ops.concatenate(shifted, axis=3)
    squares = ops.conv(images, four, strides=2, padding="valid", data_format="channels_last")
    return ops.depth_to_space(squares, 2, data_format="channels_last")


def double_and_convolve(images, kernel, mode):
    """Double by nearest neighbours, pad by 1 and convolve by 3×3, before anything is doubled."""
    # After doubling, neighbouring pixels are equal: an output depends on four different pixels, not
    # on nine. A transposed convolution of stride 2, whose 4×4 kernel holds sums of the 3×3 kernel's
    # rows and columns, takes 4/9 of the multiplications, and no memory for the doubled image.
    # A reflection of the doubled image equals a mirror with the edge before doubling.
    mirror = "constant" if mode == "zeros" else "symmetric"
    surrounded = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mirror)
    rows = ops.cast(ROWS, kernel.dtype)
    kernel = ops.einsum("ai,bj,ijco->aboc", rows, rows, kernel)
    doubled = ops.conv_transpose(
        surrounded, kernel, strides=2, padding="same", data_format="channels_last"
    )
    count, height, width = ops.shape(surrounded)[:3]
    return ops.slice(doubled, (0, 2, 2, 0), (count, 2 * height - 4, 2 * width - 4, kernel.shape[2]))


def takes_fused_norm(images, training):
    """Return whether `fused_instance_norm` is faster for a batch of this many images."""
    count = images.shape[0]
    return takes_fast_path(training) and (count is None or count <= MAX_IMAGES)


def fused_instance_norm(images, epsilon):
    """Normalise each image by a batch norm of it alone: a group norm reads it many times."""
    import tensorflow as tf

    count = images.shape[0]
    if count == 1:
        return _batch_norm(images, epsilon)
    if count is not None:
        return ops.concatenate([_batch_norm(image, epsilon) for image in tf.split(images, count)])
    count, height, width = ops.shape(images)[:3]
    channels = images.shape[-1]
    # Side by side; this copies nothing if there is one image.
    beside = ops.transpose(images, (1, 2, 0, 3))
    beside = ops.reshape(beside, (1, height, width, count * channels))
    beside = ops.reshape(_batch_norm(beside, epsilon), (height, width, count, channels))
    return ops.transpose(beside, (2, 0, 1, 3))


def _batch_norm(image, epsilon):
    import tensorflow as tf

    channels, none = tf.shape(image)[-1:], tf.zeros((0,))
    return tf.raw_ops.FusedBatchNormV3(
        x=image,
        scale=tf.ones(channels),
        offset=tf.zeros(channels),
        mean=none,
        variance=none,
        epsilon=epsilon,
        is_training=True,
    ).y


def subtract_unless_zero(images, common):
    """Subtract `common`, without a copy where it is zero in all channels."""
    import tensorflow as tf

    return tf.cond(tf.reduce_any(common != 0), lambda: images - common, lambda: tf.identity(images))
