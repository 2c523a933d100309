"""Mixtures of instance norm and layer norm, learned for each channel."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


class _Mixed(keras.layers.Layer):
    """ρ · instance norm + (1 − ρ) · layer norm, with ρ in [0, 1] for each channel.

    Args:
        rho: float. Initial value of ρ.
        epsilon: float. Added to variances.
    """

    def __init__(self, rho, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rho <= 1:
            raise ValueError(f"`rho` must lie in [0, 1]. Received rho={rho!r}.")
        self.initial_rho = rho
        self.epsilon = epsilon

    def add_rho(self, channels):
        self.rho = self.add_weight(
            shape=(channels,),
            initializer=keras.initializers.Constant(self.initial_rho),
            constraint=UnitInterval(),
            autocast=False,
            name="rho",
        )

    def mix(self, images):
        """Apply both norms to `(n, h, w, c)` in float32, and mix the results."""
        images = ops.cast(images, "float32")
        rho = ops.cast(self.rho, "float32")
        by_instance = _normalised(images, (1, 2), self.epsilon)
        by_layer = _normalised(images, (1, 2, 3), self.epsilon)
        return rho * by_instance + (1.0 - rho) * by_layer

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

    Call arguments:
        images: `(batch, height, width, channels)`.

    Returns:
        The same shape.

    Raises:
        ValueError: `rho` lies outside of [0, 1].

    Example:

    ```python
    norm = InstanceLayerNormalization()
    norm(keras.random.normal((2, 8, 8, 16))).shape  # (2, 8, 8, 16)
    norm.rho.shape  # (16,)
    ```
    """

    def __init__(self, rho: float = 0.0, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(rho, epsilon, **kwargs)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        self.add_rho(channels)
        self.gamma = self.add_weight(
            shape=(channels,), initializer="ones", autocast=False, name="gamma"
        )
        self.beta = self.add_weight(
            shape=(channels,), initializer="zeros", autocast=False, name="beta"
        )

    def call(self, images: Tensor) -> Tensor:
        x = self.mix(images) * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        return ops.cast(x, images.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable("keras_cyclegan")
class AdaptiveInstanceLayerNormalization(_Mixed):
    """A learned mixture of instance norm and layer norm, with scale and offset from elsewhere.

    Kim et al. 2020 (U-GAT-IT), eq. (1), AdaLIN: scale and offset are computed from the image by
    other layers; ρ starts at 0.9, near instance norm.

    Args:
        rho: float in [0, 1], 0.9 by default. Initial value of ρ.
        epsilon: float, 1e-5 by default. Added to variances.

    Call arguments:
        inputs: list of the images, `(batch, height, width, channels)`, the scale and the offset,
            `(batch, channels)` each.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: `rho` lies outside of [0, 1].

    Example:

    ```python
    maps = keras.random.normal((2, 8, 8, 16))
    style = keras.ops.mean(maps, axis=(1, 2))  # (2, 16)
    scale, offset = keras.layers.Dense(16)(style), keras.layers.Dense(16)(style)
    AdaptiveInstanceLayerNormalization()([maps, scale, offset]).shape  # (2, 8, 8, 16)
    ```
    """

    def __init__(self, rho: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(rho, epsilon, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.add_rho(input_shape[0][-1])

    def call(self, inputs: Tensor) -> Tensor:
        images, scale, offset = inputs
        scale, offset = (ops.cast(x, "float32")[:, None, None] for x in (scale, offset))
        return ops.cast(self.mix(images) * scale + offset, images.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]


@keras.saving.register_keras_serializable("keras_cyclegan")
class UnitInterval(keras.constraints.Constraint):
    """Keeps a weight in [0, 1] after each update."""

    def __call__(self, weight):
        return ops.clip(weight, 0.0, 1.0)


def _normalised(images, axes, epsilon):
    mean = ops.mean(images, axis=axes, keepdims=True)
    squares = ops.square(images - mean)
    count = 1
    for axis in axes:
        count *= ops.shape(images)[axis]
    unbiased = ops.sum(squares, axis=axes, keepdims=True) / ops.cast(
        ops.maximum(count - 1, 1), "float32"
    )
    return (images - mean) / ops.sqrt(unbiased + epsilon)
