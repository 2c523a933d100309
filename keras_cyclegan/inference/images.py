"""Opens the images given to `translate`, and returns translations in the same kinds."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from PIL import Image

from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.data.decode import open_image


class Picture(NamedTuple):
    """One image, ready for a generator."""

    pixels: np.ndarray  # (height, width, channels), uint8, or float32 in [-1, 1]
    finish: Callable  # makes what was given of the translation, in [-1, 1] or already uint8


def to_float(pixels):
    """Convert uint8 pixels to [-1, 1], and return floats as they are."""
    return to_unit(pixels) if pixels.dtype == np.uint8 else pixels


def as_given(unit, pixels):
    """Return values in [-1, 1] as the pixels of an image are: of uint8, or floats."""
    return from_unit(unit) if pixels.dtype == np.uint8 else unit


def open_images(images, formats, max_pixels):
    """Open all images before the first is translated, so that errors come early.

    Returns a list of `Picture`, and a function that makes what was given, one image, a batch or a
    list, of the list of finished translations.
    """
    if isinstance(images, (list, tuple)):
        return _open_items(images, formats, max_pixels), type(images)
    if keras.ops.is_tensor(images):
        array = keras.ops.convert_to_numpy(images)
        pictures, collect = open_images(array, formats, max_pixels)
        return pictures, lambda finished: keras.ops.convert_to_tensor(collect(finished))
    if isinstance(images, np.ndarray) and images.ndim == 4:
        if not len(images):
            raise ValueError(f"The batch holds no image. Received the shape {images.shape}.")
        return _open_items(images, formats, max_pixels), np.stack
    return [_open_picture(images, formats, max_pixels)], lambda finished: finished[0]


def _open_items(images, formats, max_pixels):
    pictures = []
    for i, image in enumerate(images):
        try:
            pictures.append(_open_picture(image, formats, max_pixels))
        except (TypeError, ValueError) as error:
            error.args = (f"images[{i}]: {error}",)
            raise
    return pictures


def _open_picture(image, formats, max_pixels):
    if keras.ops.is_tensor(image):
        array = keras.ops.convert_to_numpy(image)
        pixels, finish = _open_picture(array, formats, max_pixels)
        return Picture(pixels, lambda unit: keras.ops.convert_to_tensor(finish(unit)))
    given, wanted = formats
    pixels, alpha = open_image(image, given.channels, max_pixels, given)
    eight_bits = given.dtype == wanted.dtype == "uint8"
    in_unit = getattr(image, "dtype", np.uint8) != np.uint8 and given.dtype != "float32"
    in_unit &= pixels.dtype == np.float32
    if not (in_unit or eight_bits):
        pixels = given.to_unit(pixels)

    def finish(unit):
        if in_unit:
            translated = unit.astype(image.dtype)
        else:
            translated = unit if unit.dtype == np.uint8 else wanted.from_unit(unit)
        if alpha is not None and eight_bits:
            translated = np.concatenate([translated, alpha[:, :, None]], axis=2)
        is_gray = translated.shape[2] == 1
        if isinstance(image, Image.Image) and eight_bits:
            return Image.fromarray(translated[:, :, 0] if is_gray else translated)
        return translated[:, :, 0] if is_gray and getattr(image, "ndim", 3) == 2 else translated

    return Picture(pixels, finish)
