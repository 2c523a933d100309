"""The layers that all networks are made of, with the authors' settings."""

import keras
from keras import layers

from keras_cyclegan.layers import InstanceNormalization, ReflectionPadding2D
from keras_cyclegan.layers.convolution import Conv2D
from keras_cyclegan.layers.instance_norm import GroupNormalization


def normal_initializer(stddev=0.02):
    """Make N(0, 0.02) anew for each layer: sharing one gives layers of one shape equal weights."""
    return keras.initializers.RandomNormal(stddev=stddev)


def conv(filters, kernel_size, strides=1, name=None, dtype=None, stddev=0.02, use_bias=True):
    """Make a convolution without padding; the caller chooses how to pad."""
    return Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="valid",
        use_bias=use_bias,
        kernel_initializer=normal_initializer(stddev),
        name=name,
        dtype=dtype,
    )


def padding(amount, mode, name=None, dtype=None):
    """Make a layer that pads by reflection (`mode="reflect"`) or with zeros."""
    if mode == "reflect":
        return ReflectionPadding2D(amount, name=name, dtype=dtype)
    return layers.ZeroPadding2D(amount, name=name, dtype=dtype)


def instance_norm(affine=False, name=None, dtype=None):
    """Make `torch.nn.InstanceNorm2d`: epsilon 1e-5, no running statistics."""
    if not affine:
        return InstanceNormalization(name=name, dtype=dtype)
    return GroupNormalization(name=name, dtype=dtype)


def float32_activation(activation, name):
    """Make a last layer, in float32 under every policy: losses subtract its outputs."""
    return layers.Activation(activation, dtype="float32", name=name)
