"""Augmentation that gradients pass through, for what a discriminator is shown."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.layers.pool import random_integers


@keras.saving.register_keras_serializable("keras_cyclegan")
class DifferentiableAugmentation(keras.layers.Layer):
    """Changes colours, shifts and covers parts of images at random, each image by itself.

    Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training". Real and
    translated images are shown to a discriminator through it, in its own steps and in the
    generators', which get their gradients through it too: the discriminator can't learn the
    training images by heart, and the generators don't learn the augmentation. It acts in training
    only. The draws are those of `layers.random_integers`: from one seed, the same on every backend.

    Args:
        brightness: float. Largest number added to a whole image, either way.
        saturation: float. Largest change of the factor of colours' distance from gray, which is 1.
        contrast: float. The same of the distance from the image's mean.
        translation: float. Largest shift, as a part of the height and of the width; what comes in
            is gray (0).
        cutout: float. Side of the square that gray covers, as a part of the height and of the
            width; it can lie partly outside.
        seed: int or None. Seed of the draws.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].
        training: bool.

    Returns:
        The same shape; values can leave [-1, 1].

    Raises:
        ValueError: a strength is negative.

    Example:

    ```python
    augment = DifferentiableAugmentation(brightness=0.3, saturation=0.6, contrast=0.4)
    shown = augment(images, training=True)
    ```
    """

    strengths = ("brightness", "saturation", "contrast", "translation", "cutout")

    def __init__(
        self,
        brightness: float = 0.3,
        saturation: float = 0.6,
        contrast: float = 0.4,
        translation: float = 0.125,
        cutout: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = (brightness, saturation, contrast, translation, cutout)
        for name, value in zip(self.strengths, given, strict=True):
            if not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {name}={value!r}.")
            setattr(self, name, value)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        if not training:
            return images
        count = ops.shape(images)[0]
        draws = random_integers(self.seed_generator.next(), 7 * count)
        draws = ops.cast(draws, "float32") / 2.0**30 - 1.0  # [-1, 1]
        draws = ops.cast(ops.reshape(draws, (7, count, 1, 1, 1)), images.dtype)
        x = images + self.brightness * draws[0]
        gray = ops.mean(x, axis=3, keepdims=True)
        x = gray + (1.0 + self.saturation * draws[1]) * (x - gray)
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        x = mean + (1.0 + self.contrast * draws[2]) * (x - mean)
        if self.translation:
            x = _shift(x, self.translation * draws[3], self.translation * draws[4])
        if self.cutout:
            x = _cover(x, self.cutout, draws[5], draws[6])
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        strengths = {name: getattr(self, name) for name in self.strengths}
        return {**super().get_config(), **strengths, "seed": self.seed}


def _shift(images, down, right):
    """Images moved by parts of their height and width `(n, 1, 1, 1)`; zeros come in."""
    height, width = ops.shape(images)[1:3]
    # Row i of the outcome is row i - shift: a matrix of zeros and ones picks it, or nothing.
    rows = _picks(height, down[:, :, 0, 0], images.dtype)  # (n, h, h)
    columns = _picks(width, right[:, :, 0, 0], images.dtype)  # (n, w, w)
    return ops.einsum("nvw,niwc->nivc", columns, ops.einsum("nij,njwc->niwc", rows, images))


def _picks(size, fraction, dtype):
    places = ops.arange(size, dtype="int32")
    fraction = ops.cast(fraction, "float32") * ops.cast(size, "float32")
    source = places[None] - ops.cast(ops.round(fraction), "int32")  # (n, size)
    return ops.cast(source[:, :, None] == places[None, None], dtype)


def _cover(images, part, down, right):
    """Images with a square of zeros around a place, given as `(n, 1, 1, 1)` in [-1, 1]."""
    height, width = ops.shape(images)[1:3]
    rows = _covered(height, part, down[:, :, 0, 0])[:, :, None, None]
    columns = _covered(width, part, right[:, :, 0, 0])[:, None, :, None]
    return ops.where(ops.logical_and(rows, columns), ops.zeros_like(images), images)


def _covered(size, part, centre):
    """Whether each place of `size` lies within `part / 2` of a centre in [-1, 1]: `(n, size)`."""
    places = (2.0 * ops.arange(size, dtype="float32") + 1.0) / ops.cast(size, "float32") - 1.0
    return ops.abs(places[None] - ops.cast(centre, "float32")) < part
