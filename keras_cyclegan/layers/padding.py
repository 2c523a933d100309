"""Reflection padding, which Keras lacks."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class ReflectionPadding2D(keras.layers.Layer):
    """Surrounds images with their own mirror image, the edge pixel not repeated.

    Equals `torch.nn.ReflectionPad2d`. It keeps the borders of a translation free of the frame that
    zeros would draw.

    Args:
        padding: int, 1 by default. Pixels added on each side, fewer than the image has.

    Call arguments:
        images: `(batch, height, width, channels)`; height and width may be unknown.

    Returns:
        `(batch, height + 2 * padding, width + 2 * padding, channels)`.

    Raises:
        ValueError: `padding` is no int of at least 0.

    Example:

    ```python
    ReflectionPadding2D(3)(keras.ops.ones((1, 8, 8, 3))).shape  # (1, 14, 14, 3)
    ```
    """

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"`padding` must be an int of at least 0. Received {padding!r}.")
        self.padding = padding

    def call(self, images: Tensor) -> Tensor:
        if not self.padding:
            return images  # torch refuses to pad by nothing
        side = (self.padding, self.padding)
        return ops.pad(images, ((0, 0), side, side, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return batch, height and height + grow, width and width + grow, channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}
