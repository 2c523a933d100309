"""Norms that Keras lacks: of an image's channels, of known statistics, mixtures, of kernels."""

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
        epsilon: float. Added to variances.
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


@keras.saving.register_keras_serializable("keras_cyclegan")
class AdaptiveInstanceLayerNormalization(keras.layers.Layer):
    """A learned mixture of instance norm and layer norm, with scale and offset from elsewhere.

    Kim et al. 2020 (U-GAT-IT), eq. (1), AdaLIN: (ρ · instance norm + (1 − ρ) · layer norm) · scale
    + offset, with ρ in [0, 1] for each channel. Variances are the unbiased ones, as in the authors'
    code. It is called with a list of the images, `(batch, height, width, channels)`, the scale and
    the offset, `(batch, channels)` each, which other layers compute.

    Args:
        rho: float in [0, 1]. Initial value of ρ.
        epsilon: float. Added to variances.
    """

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_rho = rho
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        self.channels = input_shape[0][-1]
        start = keras.initializers.Constant(self.initial_rho)
        self.rho = self.add_one_each("rho", start, constraint=UnitInterval())

    def add_one_each(self, name, initializer, **options):
        """Add a weight of one value for each channel."""
        options |= {"autocast": False, "name": name}
        return self.add_weight((self.channels,), initializer, **options)

    def call(self, inputs: Tensor) -> Tensor:
        images, scale, offset = inputs
        x, rho, scale, offset = (ops.cast(x, "float32") for x in (images, self.rho, scale, offset))
        by_instance = _normalised(x, (1, 2), self.epsilon)
        by_layer = _normalised(x, (1, 2, 3), self.epsilon)
        mixed = rho * by_instance + (1.0 - rho) * by_layer
        return ops.cast(mixed * scale[:, None, None] + offset[:, None, None], images.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.initial_rho, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("keras_cyclegan")
class InstanceLayerNormalization(AdaptiveInstanceLayerNormalization):
    """A learned mixture of instance norm and layer norm, with scale and offset of its own.

    Kim et al. 2020 (U-GAT-IT), LIN, the norm of its upsampling. It is called with images alone.

    Args:
        rho, epsilon: as for `AdaptiveInstanceLayerNormalization`; ρ starts at layer norm.
    """

    def __init__(self, rho: float = 0.0, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(rho, epsilon, **kwargs)

    def build(self, input_shape: Any) -> None:
        super().build([input_shape])
        self.gamma = self.add_one_each("gamma", "ones")
        self.beta = self.add_one_each("beta", "zeros")

    def call(self, images: Tensor) -> Tensor:
        return super().call([images, self.gamma[None], self.beta[None]])


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


@keras.saving.register_keras_serializable("keras_cyclegan")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides the kernel of a layer by its largest singular value, which bounds its gradient.

    Miyato et al. 2018. One power iteration in each training call estimates the value, and gradients
    pass through the division. `keras.layers.SpectralNormalization` assigns the divided kernel to
    the layer instead, so that on JAX its gradients differ from those of the other backends.

    Args:
        layer: layer whose `kernel` has the outputs on its last axis: `Conv2D`, `Dense`.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.autocast = False  # the iteration is in float32 under every policy

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        options = {"dtype": "float32", "trainable": False, "name": "vector"}
        self.vector = self.add_weight((self.layer.kernel.shape[-1],), initializer, **options)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        kernel = ops.cast(self.layer.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        left = _unit(ops.matmul(fixed, _unit(self.vector)))
        right = _unit(ops.matmul(left, fixed))
        if training:
            self.vector.assign(right)
        largest = ops.sum(left * ops.matmul(matrix, right))
        # The layer runs with the divided kernel in place of its own, which keeps its value.
        values = [
            (weight, kernel / largest if weight is self.layer.kernel else weight.value)
            for weight in self.layer.weights
        ]
        with keras.StatelessScope(values):
            return self.layer(inputs)


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)
