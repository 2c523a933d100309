"""The few layers that every network is made of, with the authors' settings."""

import keras
from keras import layers

from keras_cyclegan.arguments import check_choice as check_choice
from keras_cyclegan.arguments import check_image_shape as check_image_shape
from keras_cyclegan.arguments import check_multiple as check_multiple
from keras_cyclegan.layers import InstanceNormalization, NarrowConv2D, ReflectionPadding2D


def normal_initializer(stddev=0.02):
    """N(0, 0.02). A new object each time: a shared one gives layers of one shape equal weights."""
    return keras.initializers.RandomNormal(stddev=stddev)


def conv(filters, kernel_size, strides=1, name=None, dtype=None, stddev=0.02):
    """A convolution without padding; what surrounds the image is the caller's choice."""
    kind = NarrowConv2D if filters <= 4 and kernel_size >= 5 else layers.Conv2D
    return kind(
        filters,
        kernel_size,
        strides,
        padding="valid",
        kernel_initializer=normal_initializer(stddev),
        name=name,
        dtype=dtype,
    )


def padding(amount, mode, name=None, dtype=None):
    if mode == "reflect":
        return ReflectionPadding2D(amount, name=name, dtype=dtype)
    return layers.ZeroPadding2D(amount, name=name, dtype=dtype)


def instance_norm(affine=False, name=None, dtype=None):
    """`torch.nn.InstanceNorm2d`: epsilon 1e-5, no running statistics."""
    if not affine:
        return InstanceNormalization(name=name, dtype=dtype)
    # Files find a weight by its layer's class: scales and offsets stay where they always were.
    return layers.GroupNormalization(groups=-1, epsilon=1e-5, name=name, dtype=dtype)


def float32_activation(activation, name):
    """The last layer stays in float32 under every policy: losses are differences of its values."""
    return layers.Activation(activation, dtype="float32", name=name)
