"""Opens images of every kind as arrays. No other file of the package opens images."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.data.kinds import Place, holds_many, kind_of, split_name
from keras_cyclegan.data.pillow_files import OpenedImage, open_file, open_pillow
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import DTYPES, check_unit
from keras_cyclegan.data.stacks import read_frame


def open_image(image, channels=3, max_pixels=MAX_PIXELS, pixels=None):
    """Open a path, `Place`, bytes, binary file, PIL image or array, as `decode_image` says.

    Where 8 bits are asked for, 16-bit gray is scaled to them (`value / 257`, rounded), 16-bit RGB
    keeps its high byte, which is what Pillow decodes, and 32 bits are refused. Of JPEG, PNG, WebP,
    BMP and TIFF the content decides, not the name. Arrays are of uint8, of the dtype of `pixels`,
    the `PixelFormat` of the result, or of floats in [-1, 1].
    """
    from PIL import Image

    native = pixels is not None and pixels.dtype != "uint8"
    if isinstance(image, np.ndarray):
        if native and not (pixels.dtype != "float32" and image.dtype.kind == "f"):
            return OpenedImage(as_kept(_with_channels(image, channels), pixels, "The array"))
        return _open_array(image, channels)
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise ValueError(f"The image has no pixels. Received a PIL image of size {image.size}.")
        opened = open_pillow(image, channels, "This PIL image", native)
    elif isinstance(image, (str, os.PathLike, bytes, bytearray, Place)) or hasattr(image, "read"):
        opened = _open_path(image, channels, max_pixels, native)
    else:
        raise TypeError(
            "An image is a path, the bytes of a file, a PIL image, or an array of uint8 or of "
            f"floats in [-1, 1]. Received {image!r:.80} ({type(image).__name__})."
        )
    return opened._replace(pixels=as_kept(opened.pixels, pixels, image)) if native else opened


def open_native(image, channels=3, max_pixels=MAX_PIXELS):
    """Return the pixels of a file in the dtype that it has, one of uint8, uint16, int16, float32.

    Integers of other sizes become the next larger of these that holds them, or floats.
    """
    return as_kept(_open_path(image, channels, max_pixels, native=True).pixels, None, image)


def decode_image(source: Any, channels: int = 3, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an image to 8 bits per channel, `(height, width, channels)`, as training does.

    EXIF orientation and colour profile are applied, gray becomes RGB and RGB becomes luma (ITU-R
    601) as `channels` asks, 16-bit gray is scaled, transparency is composited on white, and of
    several frames the first is taken.

    Args:
        source: path, bytes, binary file, or `PIL.Image.Image`.
        channels: int, 3 (RGB) or 1 (gray).
        max_pixels: int. Largest height times width; a TIFF, a WebP and a progressive JPEG, which
            take more memory, may have 80, 47 and 61 % of that.

    Raises:
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        ValueError: the file is no image, is incomplete, or has pixels without a known range.
    """
    return open_image(source, channels, max_pixels).pixels


def _open_path(source, channels, max_pixels, native):
    if not isinstance(source, (str, os.PathLike, Place)):
        opened = open_file(source, channels, max_pixels, native)
        if opened is None:
            raise ValueError("A TIFF of many channels, or of more than 8 bits, is given as a path.")
        return opened
    place = source if isinstance(source, Place) else Place(*split_name(source))
    if not holds_many(place.path) or (kind_of(place.path) == "TIFF" and place.index == 0):
        opened = open_file(place.path, channels, max_pixels, native)
        if opened is not None:
            return opened
    frame = _with_channels(read_frame(place, channels, max_pixels), channels)
    if not native and frame.dtype != np.uint8:
        raise ValueError(f"{source} holds {frame.dtype}, not 8 bits: train with `--range-a`.")
    return OpenedImage(frame)


def as_kept(pixels, given, name):
    """Return pixels in the dtype of a `PixelFormat`, or for None in that of `DTYPES` that fits."""
    if pixels.dtype.kind not in "uifb":
        raise ValueError(f"{name} holds {pixels.dtype}, which are no pixels.")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(f"{name} holds NaN or infinity. Fill such pixels with a value.")
    kept = pixels.dtype.name
    if kept not in DTYPES:
        kept = {"bool": "uint8", "int8": "int16"}.get(kept, "float32")
    if given is None:
        return pixels.astype(kept, copy=False)
    low, high = given.ends
    are_deep = pixels.dtype.kind in "ui" and "uint8" not in (kept, given.dtype)
    holds = are_deep and low <= pixels.min() and pixels.max() <= high
    if not holds and given.dtype not in (kept, "float32"):
        ends = f"from {pixels.min()} to {pixels.max()}"
        raise ValueError(f"{name} holds {pixels.dtype}, {ends}; expected {given}.")
    pixels = pixels.astype(given.dtype, copy=False)
    return spread(pixels, given) if given.per_image else pixels


def spread(pixels, given):
    """Spread the values of one image over the range of a format."""
    low, high = float(pixels.min()), float(pixels.max())
    values = (pixels.astype("float64") - low) / max(high - low, 1e-12) * given.span + given.low
    return (values if given.dtype == "float32" else np.rint(values)).astype(given.dtype)


def _with_channels(array, channels):
    image = array[:, :, None] if array.ndim == 2 else array
    if image.ndim != 3:
        raise ValueError(
            f"An image has shape (height, width) or (height, width, channels), a batch one axis "
            f"more. Received an array of shape {array.shape}."
        )
    if 0 in image.shape:
        raise ValueError(f"The image has no pixels. Received an array of shape {array.shape}.")
    if image.shape[2] == 1 and channels == 3:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] != channels:
        raise ValueError(
            f"{channels} channels are needed; gray has 1 or none, 8 bits 1 more with alpha. "
            f"Received an image of shape {array.shape}."
        )
    return image


def _open_array(array, channels):
    from PIL import Image

    has_alpha = array.ndim == 3 and array.shape[2] == channels + 1 and channels in (1, 3)
    if array.dtype == np.uint8:
        if has_alpha and array.size:
            return open_pillow(Image.fromarray(np.ascontiguousarray(array)), channels, "The array")
        return OpenedImage(_with_channels(array, channels))
    if array.dtype.kind != "f":
        raise ValueError(f"Pixels are uint8 or floats in [-1, 1]. Received dtype {array.dtype}.")
    check_unit(array)
    return OpenedImage(_with_channels(array, channels).astype("float32"))
