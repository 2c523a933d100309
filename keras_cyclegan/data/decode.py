"""Opens images of every kind as arrays. No other file of the package opens images."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.data.kinds import KINDS, Place, kind_of, split_name
from keras_cyclegan.data.pillow_files import OpenedImage, open_file, open_pillow, to_array
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import DTYPES, check_unit
from keras_cyclegan.data.stacks import read_frame


def open_image(image, channels=3, max_pixels=MAX_PIXELS, pixels=None):
    """Open a path, the bytes of a file, a binary file, a PIL image or an array.

    Training and translation both open images by these rules:

    - EXIF orientation is applied, where it can be read: the array is upright.
    - Gray becomes RGB with three equal channels; for `channels=1`, RGB becomes luma (ITU-R 601).
    - Where 8 bits are asked for, 16-bit gray is scaled to them (`value / 257`, rounded), not
      clipped, and 16-bit RGB keeps its high byte, which is what Pillow decodes.
    - Transparency is composited on white; the alpha channel is returned beside the pixels.
    - Palettes, CMYK, YCbCr and LAB become RGB by Pillow's conversion, through the colour profile
      if there is one; pixels with another profile than sRGB become sRGB.
    - Of a file with several frames or pages, the first one is taken, unless a `Place` names one.
    - 32-bit integers and floats in a file are refused where 8 bits are asked for.

    Args:
        image: path, `Place`, bytes or binary file of an image (of JPEG, PNG, WebP, BMP and TIFF the
            content decides, not the name), `PIL.Image.Image`, or a numpy array `(height, width)` or
            `(height, width, channels)` of uint8, of the dtype of `pixels`, or of floats in [-1, 1].
        channels: int, 3 by default. Channels of the result. Files of JPEG, PNG, WebP and BMP have 1
            or 3.
        max_pixels: int, 60,000,000 by default. Largest height times width that is decoded from a
            path, bytes or file; a TIFF, a WebP and a JPEG of several scans, whose decoders take
            more memory, may have 80, 47 and 61 % of that. A PIL image or an array may have any
            size.
        pixels: `PixelFormat` of the result. None, the default: 8 bits.

    Returns:
        `OpenedImage`.

    Raises:
        FileNotFoundError: there is no such file.
        MemoryError: there is too little memory for the image.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        TypeError: `image` is none of these.
        ValueError: the file is no image or is incomplete; the pixels have no known range, are NaN,
            or floats outside of [-1, 1]; or the channels or the dtype don't fit.
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
    """Open a file in the dtype that it has, one of uint8, uint16, int16 and float32.

    Integers of other sizes become the next larger of these that holds them, or floats.
    """
    opened = _open_path(image, channels, max_pixels, native=True)
    return opened._replace(pixels=as_kept(opened.pixels, None, image))


def decode_image(source: Any, channels: int = 3, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an image to 8 bits per channel, as training and translation do.

    EXIF orientation is applied, gray becomes RGB and RGB becomes luma as `channels` asks, 16-bit
    gray is scaled, transparency is composited on white, and of several frames the first is taken.

    Args:
        source: path, bytes, binary file, or `PIL.Image.Image`.
        channels: int, 3 (RGB, the default) or 1 (gray).
        max_pixels: int, 60,000,000 by default. Largest height times width; see `open_image`.

    Returns:
        uint8 array, `(height, width, channels)`.

    Raises:
        FileNotFoundError: there is no such file.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        ValueError: the file is no image, is incomplete, or has pixels without a known range.

    Example:

    ```python
    image = decode_image("horse.jpg")  # (height, width, 3), uint8
    ```
    """
    if channels not in (1, 3):
        raise ValueError(f"Images are decoded to 1 or 3 channels. Received: channels={channels!r}.")
    return open_image(source, channels, max_pixels).pixels


# --- files -------------------------------------------------------------------------------------


def _open_path(source, channels, max_pixels, native):
    if not isinstance(source, (str, os.PathLike, Place)):
        opened = open_file(source, channels, max_pixels, native)
        if opened is None:
            raise ValueError("A TIFF of many channels, or of more than 8 bits, is given as a path.")
        return opened
    place = source if isinstance(source, Place) else Place(*_path_and_index(source))
    kind = kind_of(place.path)
    if kind not in KINDS or not KINDS[kind].many or (kind == "TIFF" and place.index == 0):
        opened = open_file(place.path, channels, max_pixels, native)
        if opened is not None:
            return opened
    frame = read_frame(place.path, place.index, place.name, channels, max_pixels)
    frame = _with_channels(frame, channels)
    if not native and frame.dtype != np.uint8:
        raise ValueError(
            f"{source} holds {frame.dtype}, and images of 8 bits are expected here. Train with a "
            "range, `--range-a LOW HIGH`, for a translator of such images."
        )
    return OpenedImage(frame)


def _path_and_index(source):
    path, name = split_name(source)
    return path, 0, name


def as_kept(pixels, given, name):
    """Return pixels in the dtype that images are kept in.

    Args:
        pixels: numpy array of any dtype.
        given: `PixelFormat` that they must have, or None for whichever holds them.
        name: what to call them in messages.

    Raises:
        ValueError: they are NaN or infinite, or don't fit.
    """
    if pixels.dtype.kind not in "uifb":
        raise ValueError(f"{name} holds {pixels.dtype}, which are no pixels.")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(f"{name} holds NaN or infinity. Fill such pixels with a value.")
    kept = str(pixels.dtype.newbyteorder("="))
    if kept not in DTYPES:
        kept = {"bool": "uint8", "int8": "int16"}.get(kept, "float32")
    if given is None or given.dtype == kept:
        return spread(pixels.astype(kept, copy=False), given)
    fits = given.dtype == "float32" or (
        pixels.dtype.kind in "ui"
        and "uint8" not in (kept, given.dtype)
        and given.ends[0] <= pixels.min()
        and pixels.max() <= given.ends[1]
    )
    if not fits:
        raise ValueError(
            f"{name} holds {pixels.dtype}, from {pixels.min()} to {pixels.max()}; expected "
            f"{given}. Convert it as the images of the training were."
        )
    return spread(pixels.astype(given.dtype), given)


def spread(pixels, given):
    """Spread the values of one image over all that its dtype holds, where a format says so."""
    if given is None or not given.per_image:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    ends = (given.low, given.high)
    values = (pixels.astype("float64") - low) / max(high - low, 1e-12)
    values = values * (ends[1] - ends[0]) + ends[0]
    return (values if given.dtype == "float32" else np.rint(values)).astype(given.dtype)


# --- arrays ------------------------------------------------------------------------------------


def _with_channels(array, channels):
    image = array[:, :, None] if array.ndim == 2 else array
    if image.ndim != 3:
        raise ValueError(
            "An image has shape (height, width) or (height, width, channels), a batch (n, height, "
            f"width, channels). Received an array of shape {array.shape}."
        )
    if 0 in image.shape:
        raise ValueError(f"The image has no pixels. Received an array of shape {array.shape}.")
    if image.shape[2] == 1 and channels == 3:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] != channels:
        raise ValueError(
            f"{channels} channels are needed{_alternatives(channels, image.dtype)}. Received an "
            f"image of shape {array.shape}."
        )
    return image


def _open_array(array, channels):
    _check_values(array)
    has_alpha = array.ndim == 3 and array.shape[2] == channels + 1
    if has_alpha and channels in (1, 3) and array.dtype == np.uint8 and array.size:
        return OpenedImage(_on_white(array[:, :, :-1], array[:, :, -1]), array[:, :, -1])
    image = _with_channels(array, channels)
    return OpenedImage(image if image.dtype == np.uint8 else image.astype("float32"))


def _check_values(array):
    """Raise a ValueError for pixels that are neither uint8 nor floats in [-1, 1]."""
    if array.dtype == np.uint8:
        return
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            "Pixels are uint8 (0 … 255) or floats in [-1, 1]. Received an array of dtype "
            f"{array.dtype}."
        )
    check_unit(array)


def _alternatives(channels, dtype):
    text = {1: "; gray also as (height, width)", 3: "; gray as 1 or as (height, width)"}
    with_alpha = channels in text and dtype == np.uint8
    return text.get(channels, "") + (f", and {channels + 1} with alpha" if with_alpha else "")


def _on_white(pixels, alpha):
    """Composite an array on white, as files are in training."""
    from PIL import Image

    rgba = np.concatenate([np.broadcast_to(pixels, (*alpha.shape, 3)), alpha[:, :, None]], axis=2)
    return to_array(Image.fromarray(rgba), "RGB" if pixels.shape[2] == 3 else "L").pixels
