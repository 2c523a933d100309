"""What people call an image, to pixels for a generator; its translation back to the same kind."""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_cyclegan.data import decode_image, from_unit
from keras_cyclegan.data.decode import FORMATS
from keras_cyclegan.data.pixels import check_unit

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte at 24 bits a pixel

_pillow_limit = threading.Lock()


class TooManyPixels(ValueError):
    """The file is larger than `max_pixels`."""


class Picture(NamedTuple):
    """One image, ready for a generator.

    Attributes:
        pixels: `(height, width, channels)`, uint8, or float32 in [-1, 1].
        finish: takes the translation, `(height, width, output_channels)` in [-1, 1] or already
            rounded to uint8, and returns it in the kind of the image that was given.
    """

    pixels: np.ndarray
    finish: Callable


def open_images(images, channels, max_pixels):
    """Reads all that `translate` was given; every error comes before the first translation.

    Args:
        images: one image, a batch, or a list; see `translate`.
        channels: int. Channels that the generator takes.
        max_pixels: int. Largest image file.

    Returns:
        A list of `Picture`, and a function that takes the list of finished translations and
        returns them as `images` were given.
    """
    if isinstance(images, (list, tuple)):
        return [_open_item(i, image, channels, max_pixels) for i, image in enumerate(images)], type(
            images
        )
    if keras.ops.is_tensor(images):
        array = keras.ops.convert_to_numpy(images)
        pictures, collect = open_images(array, channels, max_pixels)
        return pictures, lambda finished: keras.ops.convert_to_tensor(collect(finished))
    if isinstance(images, np.ndarray) and images.ndim == 4:
        if not len(images):
            raise ValueError(
                f"The batch holds no image. Received an array of shape {images.shape}."
            )
        return [
            _open_item(i, image, channels, max_pixels) for i, image in enumerate(images)
        ], np.stack
    return [open_image(images, channels, max_pixels)], lambda finished: finished[0]


def open_image(image, channels, max_pixels):
    """Reads one path, PIL image or array; returns a `Picture`."""
    from PIL import Image

    if isinstance(image, (str, os.PathLike)):
        return _open_file(image, channels, max_pixels)
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise ValueError(f"The image has no pixels. Received a PIL image of size {image.size}.")
        pixels, alpha = _decode(image, channels, "this PIL image")
        return Picture(pixels, lambda unit: _to_pillow(_join(_to_pixels(unit), alpha)))
    if keras.ops.is_tensor(image):
        pixels, finish = open_image(keras.ops.convert_to_numpy(image), channels, max_pixels)
        return Picture(pixels, lambda unit: keras.ops.convert_to_tensor(finish(unit)))
    if isinstance(image, np.ndarray):
        return _open_array(image, channels)
    raise TypeError(
        "An image is a path, a PIL image, or an array of uint8 or of floats in [-1, 1]. Received "
        f"{image!r:.80} ({type(image).__name__})."
    )


def _open_item(index, image, channels, max_pixels):
    try:
        if getattr(image, "ndim", 3) == 4:
            raise ValueError(
                f"An item of a list is one image. Received a batch of shape {tuple(image.shape)}: "
                "give it by itself, or unpack it with `list(batch)`."
            )
        return open_image(image, channels, max_pixels)
    except (TypeError, ValueError) as error:
        error.args = (f"images[{index}]: {error}",)
        raise


# --- files and PIL images ----------------------------------------------------------------------


def _open_file(path, channels, max_pixels):
    from PIL import Image

    try:
        with _unlimited_pillow():
            image = Image.open(path, formats=FORMATS)  # reads the header only
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # Pillow's parsers fail in a dozen ways on a damaged file
        raise _unreadable(path, error) from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooManyPixels(
                f"{path} has {height}×{width} = {height * width} pixels, more than `max_pixels` = "
                f"{max_pixels}, which guards against small files that fill the memory. If you "
                f"trust the file, translate it with `max_pixels={height * width}`."
            )
        pixels, alpha = _decode(image, channels, path)
    return Picture(pixels, lambda unit: _join(_to_pixels(unit), alpha))


def _decode(image, channels, source):
    """A PIL image's upright pixels as `decode_image` gives them, and its alpha channel or None."""
    from PIL import ImageOps

    if channels not in (1, 3):
        raise ValueError(
            f"Files and PIL images have 1 or 3 colour channels; this generator takes {channels}. "
            f"Give arrays of shape (height, width, {channels})."
        )
    try:
        image.load()
        alpha = None
        if image.has_transparency_data and not image.mode.startswith("I"):
            upright = ImageOps.exif_transpose(image)
            alpha = np.asarray(upright.convert("RGBA").getchannel("A"))
        return decode_image(image, channels), alpha
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(source, error) from error


def _unreadable(source, error):
    return ValueError(
        f"Can't read {source}: expected a whole JPEG, PNG, WebP, BMP or TIFF image with 8 or 16 "
        f"bits a channel. Pillow says: {error} ({type(error).__name__})."
    )


@contextlib.contextmanager
def _unlimited_pillow():
    """Lifts Pillow's limit, which only exists for the whole process, while a header is read."""
    from PIL import Image

    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _to_pillow(pixels):
    from PIL import Image

    channels = pixels.shape[2]
    if channels > 4:
        raise ValueError(
            f"PIL has no image of {channels} channels, which this generator gives. Give arrays."
        )
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


# --- arrays ------------------------------------------------------------------------------------


def _open_array(array, channels):
    _check_values(array)
    gray = array.ndim == 2
    image = array[:, :, None] if gray else array
    if image.ndim != 3:
        raise ValueError(
            "An image has shape (height, width) or (height, width, channels), a batch (n, height, "
            f"width, channels). Received an array of shape {array.shape}."
        )
    if 0 in image.shape:
        raise ValueError(f"The image has no pixels. Received an array of shape {array.shape}.")
    given, alpha = image.shape[2], None
    if given == channels:
        pixels = image
    elif given == 1 and channels == 3:
        pixels = np.repeat(image, 3, axis=2)
    elif given == channels + 1 and channels in (1, 3) and image.dtype == np.uint8:
        pixels, alpha = _on_white(image[:, :, :-1], image[:, :, -1]), image[:, :, -1]
    else:
        raise ValueError(
            f"This generator takes {channels} channels{_alternatives(channels, image.dtype)}. "
            f"Received an image of shape {array.shape}."
        )

    def finish(unit):
        if array.dtype != np.uint8:
            return _squeeze(unit.astype(array.dtype), gray)
        return _squeeze(_join(_to_pixels(unit), alpha), gray)

    return Picture(pixels if array.dtype == np.uint8 else pixels.astype("float32"), finish)


def _check_values(array):
    """Refuses what is neither uint8 nor a float in [-1, 1]."""
    if array.dtype == np.uint8:
        return
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            "Pixels are uint8 (0 … 255) or floats in [-1, 1]. Received an array of dtype "
            f"{array.dtype}."
        )
    check_unit(array)


def _alternatives(channels, dtype):
    text = {1: "; gray as (height, width)", 3: "; gray as 1 or as (height, width)"}.get(
        channels, ""
    )
    if channels in (1, 3) and dtype == np.uint8:
        text += f", and {channels + 1} with alpha"
    return text


def _on_white(pixels, alpha):
    """Transparency as the generator was trained to see it: `decode_image` puts it on white."""
    from PIL import Image

    rgba = np.concatenate([np.broadcast_to(pixels, (*alpha.shape, 3)), alpha[:, :, None]], axis=2)
    return decode_image(Image.fromarray(rgba), pixels.shape[2])


def _to_pixels(unit):
    return unit if unit.dtype == np.uint8 else from_unit(unit)


def _join(pixels, alpha):
    return pixels if alpha is None else np.concatenate([pixels, alpha[:, :, None]], axis=2)


def _squeeze(pixels, gray):
    """A gray image given as (height, width) stays so where its translation is gray too."""
    return pixels[:, :, 0] if gray and pixels.shape[2] == 1 else pixels
