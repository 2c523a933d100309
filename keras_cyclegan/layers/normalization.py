"""Norms that Keras lacks: of each channel of an image, of known statistics, and mixtures."""

import functools
import math
from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Configured, Tensor
from keras_cyclegan.layers import cpu


@keras.saving.register_keras_serializable("keras_cyclegan")
class GroupNormalization(keras.layers.GroupNormalization):
    """An instance norm with a scale and an offset for each channel (checkpoints of 2017).

    Files of weights find a layer by the name of its class: this one is Keras's.
    """

    def __init__(self, groups: int = -1, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(groups=groups, epsilon=epsilon, **kwargs)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        if self.groups != images.shape[-1] or not cpu.takes_fused_norm(images, training):
            images = ops.cast(images, "float32")
            return super().call(images - common_value(images))
        if not training:
            images = cpu.subtract_unless_zero(images, common_value(images))
        x = cpu.fused_instance_norm(images, self.epsilon)
        return x * ops.cast(self.gamma, x.dtype) + ops.cast(self.beta, x.dtype) if self.scale else x


@keras.saving.register_keras_serializable("keras_cyclegan")
class InstanceNormalization(GroupNormalization):
    """Takes its mean from each channel of each image, and divides by its standard deviation.

    Ulyanov et al. 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".
    Equals `torch.nn.InstanceNorm2d`: no scale or offset, no running statistics, which are float32
    under every policy. A channel of one value is zero, but in training on TensorFlow without a GPU.

    Args:
        epsilon: float, 1e-5 by default. Added to variances.

    Example:

    ```python
    normalised = InstanceNormalization()(images)
    keras.ops.mean(normalised)  # about 0, and the standard deviation of each channel about 1
    ```
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(epsilon=epsilon, center=False, scale=False, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**keras.layers.Layer.get_config(self), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("keras_cyclegan")
class FrozenNormalization(Configured, keras.layers.Layer):
    """Returns `(images - mean) * scale + offset`, the same for every image.

    `CycleGAN.freeze_statistics` puts it in the place of instance norms, so that a pixel depends on
    its surroundings only.

    Example:

    ```python
    norm = FrozenNormalization()
    norm(keras.ops.ones((1, 8, 8, 16)))  # ones, as long as no statistics are set
    ```
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def build(self, input_shape: Any) -> None:
        shape, options = (input_shape[-1],), {"trainable": False, "autocast": False}
        self.mean = self.add_weight(shape, "zeros", name="mean", **options)
        self.scale = self.add_weight(shape, "ones", name="scale", **options)
        self.offset = self.add_weight(shape, "zeros", name="offset", **options)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        # A clone of a network hands on what the layer was called with in its place.
        x = (ops.cast(images, "float32") - self.mean) * self.scale + self.offset
        return ops.cast(x, self.compute_dtype)


def common_value(images):
    """Return the value of each channel whose corners are equal, zero for others: `(n, 1, 1, c)`.

    Relative to it, a channel of one value is zero, exactly. Else the mean's rounding error is left,
    which an instance norm divides by 0.003 and later ones magnify until nothing else is seen.
    """
    corner = images[:, :1, :1]
    others = images[:, :1, -1:], images[:, -1:, :1], images[:, -1:, -1:]
    are_equal = functools.reduce(ops.logical_and, [corner == other for other in others])
    return ops.stop_gradient(ops.where(are_equal, corner, ops.zeros_like(corner)))


class _Mixed(keras.layers.Layer):
    """ρ · instance norm + (1 − ρ) · layer norm, with ρ in [0, 1] for each channel."""

    def __init__(self, rho, epsilon, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rho <= 1:
            raise ValueError(f"`rho` must lie in [0, 1]. Received rho={rho!r}.")
        self.initial_rho = rho
        self.epsilon = epsilon

    def add(self, name, channels, initializer, **options):
        return self.add_weight((channels,), initializer, autocast=False, name=name, **options)

    def add_rho(self, channels):
        start = keras.initializers.Constant(self.initial_rho)
        self.rho = self.add("rho", channels, start, constraint=UnitInterval())

    def mix(self, images, scale, offset):
        """Apply both norms to `(n, h, w, c)` in float32, mix, scale and move the results."""
        x, rho, scale, offset = (ops.cast(x, "float32") for x in (images, self.rho, scale, offset))
        by_instance = _normalised(x, (1, 2), self.epsilon)
        by_layer = _normalised(x, (1, 2, 3), self.epsilon)
        return ops.cast((rho * by_instance + (1.0 - rho) * by_layer) * scale + offset, images.dtype)

    def get_config(self):
        return {**super().get_config(), "rho": self.initial_rho, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("keras_cyclegan")
class InstanceLayerNormalization(_Mixed):
    """A learned mixture of instance norm and layer norm, with scale and offset of its own.

    Kim et al. 2020 (U-GAT-IT), LIN, the norm of its upsampling: ρ starts at 0, which is layer norm.
    Variances are the unbiased ones, as in the authors' code.

    Args:
        rho: float in [0, 1], 0 by default. Initial value of ρ.
        epsilon: float, 1e-5 by default. Added to variances.

    Example:

    ```python
    InstanceLayerNormalization()(keras.random.normal((2, 8, 8, 16))).shape  # (2, 8, 8, 16)
    ```
    """

    def __init__(self, rho: float = 0.0, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(rho, epsilon, **kwargs)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        self.add_rho(channels)
        self.gamma = self.add("gamma", channels, "ones")
        self.beta = self.add("beta", channels, "zeros")

    def call(self, images: Tensor) -> Tensor:
        return self.mix(images, self.gamma, self.beta)


@keras.saving.register_keras_serializable("keras_cyclegan")
class AdaptiveInstanceLayerNormalization(_Mixed):
    """A learned mixture of instance norm and layer norm, with scale and offset from elsewhere.

    Kim et al. 2020 (U-GAT-IT), eq. (1), AdaLIN: other layers compute scale and offset, and ρ starts
    near instance norm. It is called with a list of the images, `(batch, height, width, channels)`,
    the scale and the offset, `(batch, channels)` each.

    Args:
        rho: float in [0, 1], 0.9 by default. Initial value of ρ.
        epsilon: as for `InstanceLayerNormalization`.

    Example:

    ```python
    maps, style = keras.random.normal((2, 8, 8, 16)), keras.random.normal((2, 16))
    AdaptiveInstanceLayerNormalization()([maps, style, style]).shape  # (2, 8, 8, 16)
    ```
    """

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(rho, epsilon, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.add_rho(input_shape[0][-1])

    def call(self, inputs: Tensor) -> Tensor:
        images, scale, offset = inputs
        return self.mix(images, scale[:, None, None], offset[:, None, None])


@keras.saving.register_keras_serializable("keras_cyclegan")
class UnitInterval(keras.constraints.Constraint):
    """Keeps a weight in [0, 1] after each update."""

    def __call__(self, weight):
        return ops.clip(weight, 0.0, 1.0)


def _normalised(images, axes, epsilon):
    mean = ops.mean(images, axis=axes, keepdims=True)
    total = ops.sum(ops.square(images - mean), axis=axes, keepdims=True)
    count = math.prod(ops.shape(images)[axis] for axis in axes)
    unbiased = total / ops.cast(ops.maximum(count - 1, 1), "float32")
    return (images - mean) / ops.sqrt(unbiased + epsilon)
