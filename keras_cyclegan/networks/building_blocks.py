"""The few layers that every network is made of, with the authors' settings."""

import numbers

import keras
from keras import layers

from keras_cyclegan.layers import ReflectionPadding2D


def normal_initializer(stddev=0.02):
    """N(0, 0.02). A new object each time: a shared one gives layers of one shape equal weights."""
    return keras.initializers.RandomNormal(stddev=stddev)


def conv(filters, kernel_size, strides=1, name=None, dtype=None, stddev=0.02):
    """A convolution without padding; what surrounds the image is the caller's choice."""
    return layers.Conv2D(
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
    """`torch.nn.InstanceNorm2d`: one group a channel, epsilon 1e-5, no running statistics."""
    return layers.GroupNormalization(
        groups=-1, epsilon=1e-5, center=affine, scale=affine, name=name, dtype=dtype
    )


def float32_activation(activation, name):
    """The last layer stays in float32 under every policy: losses are differences of its values."""
    return layers.Activation(activation, dtype="float32", name=name)


def check_choice(argument, value, choices):
    if value not in choices:
        expected = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{argument}` must be one of {expected}. Received {argument}={value!r}.")


def check_image_shape(image_shape):
    """Return `image_shape` as a tuple `(height, width, channels)`; height and width may be None."""
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    known = shape[2:] + tuple(size for size in shape[:2] if size is not None)
    counts = [size for size in known if isinstance(size, numbers.Integral) and size > 0]
    if len(shape) != 3 or len(counts) != len(known):
        raise ValueError(
            "`image_shape` must be (height, width, channels), where height and width may be None. "
            f"Received image_shape={image_shape!r}."
        )
    return shape


def check_multiple(height, width, multiple, network):
    """Refuse a size that `network` can't give back unchanged. Unknown sizes pass."""
    if (height or 0) % multiple or (width or 0) % multiple:
        raise ValueError(
            f"{network} halves its input {multiple.bit_length() - 1} times: height and width must "
            f"be multiples of {multiple}. Received {height}×{width}. "
            "`CycleGAN.translate` pads and crops for you."
        )
