"""A skip connection from a network's input to the input of its last tanh."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class InputSkip(keras.layers.Layer):
    """Adds an image to the input of a tanh, so that the tanh gives the image back.

    `tanh(h + artanh(0.98 · image))` is the image, 2 % nearer to gray, where the network's output h
    is 0; where h is large, h decides. Unlike a gate it passes the whole gradient on to h. It is
    called with a list of h and the images in [-1, 1], `(batch, height, width, channels)` each.

    Example:

    ```python
    h = keras.ops.zeros_like(images)
    unchanged = keras.ops.tanh(InputSkip()([h, images]))  # 0.98 · images
    ```
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

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
