"""Instance norm, which in Keras is a group norm with one channel in each group."""

import functools
from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.layers import cpu


@keras.saving.register_keras_serializable("keras_cyclegan")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Takes its mean from each channel of each image, and divides by its standard deviation.

    Ulyanov et al. 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".
    Equals `torch.nn.InstanceNorm2d`: no scale or offset, no running statistics. Statistics
    are float32 under every policy. A channel of one value is exactly zero, except in training on
    TensorFlow without a GPU.

    Args:
        epsilon: float, 1e-5 by default. Added to variances.

    Call arguments:
        images: `(batch, height, width, channels)`.
        training: bool.

    Returns:
        The same shape.

    Example:

    ```python
    normalised = InstanceNormalization()(images)
    keras.ops.mean(normalised)  # about 0, and the standard deviation of each channel about 1
    ```
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(groups=-1, epsilon=epsilon, center=False, scale=False, **kwargs)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        if cpu.takes_fused_norm(images, training):
            if not training:
                images = cpu.subtract_unless_zero(images, common_value(images))
            return cpu.fused_instance_norm(images, self.epsilon)
        return super().call(without_common_value(ops.cast(images, "float32")))

    def get_config(self) -> dict[str, Any]:
        return {**keras.layers.Layer.get_config(self), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("keras_cyclegan")
class GroupNormalization(keras.layers.GroupNormalization):
    """An instance norm with a scale and an offset for each channel, as in checkpoints of 2017.

    On TensorFlow without a GPU it is fused, as `InstanceNormalization` is. Its class has Keras's
    name because files of weights find a layer by the name of its class.

    Args:
        groups: int, -1 by default: each channel is a group.
        epsilon: float, 1e-5 by default. Added to variances.

    Call arguments:
        images: `(batch, height, width, channels)`.
        training: bool.

    Returns:
        The same shape.

    Example:

    ```python
    norm = GroupNormalization()
    norm(keras.ops.ones((1, 8, 8, 16)))  # the offset, 0, exactly
    norm.gamma.shape  # (16,)
    ```
    """

    def __init__(self, groups: int = -1, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(groups=groups, epsilon=epsilon, **kwargs)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        if self.groups == images.shape[-1] and cpu.takes_fused_norm(images, training):
            x = images
            if not training:
                x = cpu.subtract_unless_zero(x, common_value(x))
            x = cpu.fused_instance_norm(x, self.epsilon)
            return x * ops.cast(self.gamma, x.dtype) + ops.cast(self.beta, x.dtype)
        return super().call(without_common_value(ops.cast(images, "float32")))


def common_value(images):
    """Return the value of each channel whose corners are equal, and zero for all others.

    In a channel of one value, all that is left after the mean was taken is the mean's rounding
    error. An instance norm divides it by the square root of epsilon, 0.003, and the borders of the
    next convolution make a pattern of it, which the next norms magnify until nothing else is seen.
    Taken relative to this value such a channel is zero, exactly, and so are its mean and variance.
    The norm of any other channel is the same as without, and rounded no differently unless its
    corners happen to be equal.

    Args:
        images: `(batch, height, width, channels)`.

    Returns:
        `(batch, 1, 1, channels)`, without a gradient: the norm doesn't depend on it.
    """
    corner = images[:, :1, :1]
    others = images[:, :1, -1:], images[:, -1:, :1], images[:, -1:, -1:]
    are_equal = functools.reduce(ops.logical_and, [corner == other for other in others])
    return ops.stop_gradient(ops.where(are_equal, corner, ops.zeros_like(corner)))


def without_common_value(images):
    """Subtract `common_value`."""
    return images - common_value(images)
