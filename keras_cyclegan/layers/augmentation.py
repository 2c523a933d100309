"""Augmentation of a discriminator's images, through which gradients pass."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Configured, Tensor, check_weight
from keras_cyclegan.layers.pool import random_integers


@keras.saving.register_keras_serializable("keras_cyclegan")
class DifferentiableAugmentation(Configured, keras.layers.Layer):
    """Changes colours, shifts and covers parts of images at random, each image by itself.

    Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training". The
    discriminator sees real and translated images only after augmentation, in its own update and in
    the generators', whose gradients pass through it: it can't learn the training images by heart.
    Outside of training, images in [-1, 1] stay as they are; in training they can leave that range.

    Args:
        brightness: float. An image is brightened or darkened by at most this.
        saturation: float. The distance of colours from gray is multiplied by 1 ± at most this.
        contrast: float. The same for the distance from the image's mean.
        translation: float. Largest shift, as a part of height and width; gray (0) fills the border.
        cutout: float. Side, as a part of height and width, of a gray square, partly outside or not.
        seed: as in `ImagePool`.
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
            check_weight(name, value)
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


def _shift(images, down, right):
    """Shift images by fractions of their height and width, `(n, 1, 1, 1)`; fill with zeros."""
    height, width = ops.shape(images)[1:3]
    # Row i of the result is row i - shift of the image, picked by a matrix of zeros and ones.
    rows = _picks(height, down[:, :, 0, 0], images.dtype)  # (n, h, h)
    columns = _picks(width, right[:, :, 0, 0], images.dtype)  # (n, w, w)
    return ops.einsum("nvw,niwc->nivc", columns, ops.einsum("nij,njwc->niwc", rows, images))


def _picks(size, fraction, dtype):
    places = ops.arange(size, dtype="int32")
    fraction = ops.cast(fraction, "float32") * ops.cast(size, "float32")
    source = places[None] - ops.cast(ops.round(fraction), "int32")  # (n, size)
    return ops.cast(source[:, :, None] == places[None, None], dtype)


def _cover(images, side, down, right):
    """Cover a square around a centre, given as `(n, 1, 1, 1)` in [-1, 1], with zeros."""

    def covered(size, centre):  # (n, size)
        places = (2.0 * ops.arange(size, dtype="float32") + 1.0) / ops.cast(size, "float32") - 1.0
        return ops.abs(places[None] - ops.cast(centre[:, :, 0, 0], "float32")) < side

    height, width = ops.shape(images)[1:3]
    rows, columns = covered(height, down)[:, :, None, None], covered(width, right)[:, None, :, None]
    return ops.where(ops.logical_and(rows, columns), ops.zeros_like(images), images)
