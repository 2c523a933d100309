"""Spectral norm, the same on every backend."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides the kernel of a layer by its largest singular value, which bounds its gradient.

    Miyato et al. 2018. One power iteration in each training call estimates the value, and gradients
    pass through the division. `keras.layers.SpectralNormalization` assigns the divided kernel to
    the layer instead, so that on JAX its gradients differ from those of the other backends.

    Args:
        layer: layer whose `kernel` has the outputs on its last axis: `Conv2D`, `Dense`.

    Example:

    ```python
    convolve = SpectralNormalization(keras.layers.Conv2D(64, 4, strides=2))
    convolve(images, training=True).shape  # (1, 15, 15, 64)
    ```
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.autocast = False  # the iteration is in float32 under every policy

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            kind = type(self.layer).__name__
            raise ValueError(f"Spectral norm divides a layer's kernel. Received {kind} without it.")
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

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)
