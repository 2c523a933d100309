"""Skip connections from a network's input to its output."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class InputSkip(keras.layers.Layer):
    """Adds an image to the input of a tanh, so that the tanh gives the image back.

    `tanh(h + artanh(0.98 · image))` is the image, 2 % nearer to gray, where the network's output h
    is 0; where h is large, h decides. Unlike a gate between the two it passes the whole gradient on
    to h from the first step.

    Call arguments:
        inputs: list of h and the images, `(batch, height, width, channels)` each; the images are in
            [-1, 1].

    Returns:
        `h + artanh(0.98 · images)`, of the same shape; apply tanh to it.

    Raises:
        ValueError: h and the images differ in channels.

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


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClippedSkip(keras.layers.Layer):
    """Adds a change to an image and clips the sum; beyond the bounds a part of the gradient passes.

    `InputSkip` behind a tanh passes little gradient where a channel of the image is at its bounds,
    a twenty-fifth at white and black, and grays every image by 2 %. For drawings, where white and
    pure colours fill most of the image, this layer gives the image back as it is where the
    network's output h is 0. What was clipped finds its way back by `leak` times the gradient: with
    1, a straight-through estimator (Bengio et al. 2013, arXiv 1308.3432), white backgrounds
    outweigh what is drawn on them, and turn gray early in training.

    Args:
        leak: float, 0.2 by default. The part of the gradient that passes beyond the bounds, in
            training.

    Call arguments:
        inputs: list of h and the images, `(batch, height, width, channels)` each; the images are in
            [-1, 1].

    Returns:
        `clip(images + h, -1, 1)`, of the same shape.

    Raises:
        ValueError: h and the images differ in channels.

    Example:

    ```python
    h = keras.ops.zeros_like(images)
    unchanged = ClippedSkip()([h, images])
    ```
    """

    pointwise = True

    def __init__(self, leak: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.leak = leak

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        change, images = inputs
        total = change + images
        clipped = ops.clip(total, -1.0, 1.0)
        if not training:
            return clipped
        leaking = self.leak * (total - clipped)
        return clipped + leaking - ops.stop_gradient(leaking)

    compute_output_shape = InputSkip.compute_output_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "leak": self.leak}
