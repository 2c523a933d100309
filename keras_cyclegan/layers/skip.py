"""A skip from a network's input to what its last tanh is given."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class InputSkip(keras.layers.Layer):
    """Adds an image to what a tanh is given, so that without an addition the image comes out.

    `tanh(h + artanh(0.98 · image))` is the image, 2 % nearer to gray, where h is 0; where h is
    large it is whatever h asks for. Unlike a gate between the two it passes the whole gradient on
    to h from the first step.

    Call arguments:
        inputs: h and the images, both `(batch, height, width, channels)`; images in [-1, 1].

    Returns:
        `h + artanh(0.98 · images)`, of the same shape, for a tanh to follow.

    Example:

    ```python
    skip = InputSkip(dtype="float32")
    translated = keras.ops.tanh(skip([h, images]))
    ```
    """

    pointwise = True  # so that `inference.tile_plan` lets it into a tile

    def call(self, inputs: Tensor) -> Tensor:
        change, images = inputs
        # Images that overshoot [-1, 1] a little, as after a bicubic resize, stay finite.
        shrunk = ops.clip(0.98 * images, -0.99, 0.99)
        return change + 0.5 * (ops.log(1.0 + shrunk) - ops.log(1.0 - shrunk))

    def compute_output_shape(self, input_shape: Any) -> Any:
        change, images = input_shape
        if change[-1] != images[-1]:
            raise ValueError(
                f"A skip needs equal channels. Received {change[-1]} and {images[-1]}."
            )
        return change
