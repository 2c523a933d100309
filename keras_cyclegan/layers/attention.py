"""Attention of each position of a feature map to all positions."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class SelfAttention(layers.Layer):
    """Lets each position of a feature map look at all positions.

    Zhang et al. 2019, "Self-Attention Generative Adversarial Networks", eq. (1) to (3): 1×1
    convolutions f, g, h to an eighth of the channels, attention softmax(fᵀ g) over all
    positions, a 1×1 convolution back, and a factor that starts at 0, so that the layer begins as
    the identity. For each image it holds (height · width)² numbers in memory: use it for maps of up
    to 64×64.

    Args:
        reduction: int, 8 by default, the paper's. f, g and h have 1/`reduction` of the channels.

    Call arguments:
        inputs: `(batch, height, width, channels)`.

    Returns:
        The same shape.

    Raises:
        ValueError: when built, there are fewer channels than `reduction`.

    Example:

    ```python
    maps = keras.random.normal((1, 8, 8, 16))
    attend = SelfAttention()
    attend(maps).shape  # (1, 8, 8, 16)
    ```
    """

    def __init__(self, reduction: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        reduced = channels // self.reduction
        if reduced < 1:
            raise ValueError(
                f"Self-attention divides channels by reduction={self.reduction}. Received maps of "
                f"{channels} channels."
            )

        def pointwise(count, name):
            layer = layers.Dense(count, use_bias=False, name=name, dtype=self.dtype_policy)
            layer.build((None, None, channels if name != "output" else reduced))
            return layer

        self.query = pointwise(reduced, "query")
        self.key = pointwise(reduced, "key")
        self.value = pointwise(reduced, "value")
        self.output_map = pointwise(channels, "output")
        self.gain = self.add_weight(shape=(), initializer="zeros", name="gain")

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (shape[0], shape[1] * shape[2], inputs.shape[-1]))  # (n, p, c)
        scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1)))  # (n, p, p)
        # In float32: half precision would lose digits in a sum over thousands of positions.
        weights = ops.cast(ops.softmax(ops.cast(scores, "float32")), x.dtype)
        found = self.output_map(ops.matmul(weights, self.value(x)))
        return inputs + self.gain * ops.reshape(found, shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction": self.reduction}
