"""An instance norm whose statistics are known beforehand."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class FrozenNormalization(keras.layers.Layer):
    """Subtracts a mean, and multiplies by a scale, that are the same for every image.

    `CycleGAN.freeze_statistics` puts it in the place of instance norms: then a pixel depends on its
    surroundings only, and an image may be cut anyhow.

    Call arguments:
        images: `(batch, height, width, channels)`.

    Returns:
        `(images - mean) * scale + offset`, the same shape.

    Example:

    ```python
    norm = FrozenNormalization()
    norm(keras.ops.ones((1, 8, 8, 16)))  # ones, as long as no statistics are set
    ```
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def build(self, input_shape: Any) -> None:
        def add(name, initializer):
            options = {"trainable": False, "autocast": False, "name": name}
            return self.add_weight((input_shape[-1],), initializer, **options)

        self.mean, self.scale = add("mean", "zeros"), add("scale", "ones")
        self.offset = add("offset", "zeros")

    def call(self, images: Tensor) -> Tensor:
        x = (ops.cast(images, "float32") - self.mean) * self.scale + self.offset
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # without it, Keras refuses a dtype policy as an argument
