"""Opens images of every kind as arrays. No other file of the package opens images.

Pillow is imported where it is used.
"""

import contextlib
import io
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.arguments import check_choice
from keras_cyclegan.data.pixel_limit import (
    HEAD,
    MAX_PIXELS,
    TooManyPixelsError,
    check_pixels,
    check_webp,
)
from keras_cyclegan.data.pixels import check_unit
from keras_cyclegan.data.upright import OpenedImage, to_array, with_channels
from keras_cyclegan.files.regular import check_regular

__all__ = [
    "MAX_PIXELS",
    "RESIZES",
    "OpenedImage",
    "TooManyPixelsError",
    "check_channels",
    "decode_image",
    "open_image",
    "resize_image",
]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # Pillow's JPEG opens a camera's MPO too
RESIZES = ("stretch", "cover", "crop")

_pillow_limit = threading.Lock()


def open_image(image, channels=3, max_pixels=MAX_PIXELS):
    """Open a path, the bytes of a file, a binary file, a PIL image or an array.

    Training and translation both open images by these rules:

    - EXIF orientation is applied: the array is upright.
    - Gray becomes RGB with three equal channels; for `channels=1`, RGB becomes luma (ITU-R 601).
    - 16-bit gray is scaled to 8 bits (`value / 257`, rounded), not clipped. 16-bit RGB keeps its
      high byte, which is what Pillow decodes.
    - Transparency is composited on white; the alpha channel is returned beside the pixels.
    - Palettes, CMYK, YCbCr and LAB become RGB by Pillow's conversion, without colour profiles.
    - Of a file with several frames or pages, the first one is taken.
    - 32-bit integers and floats in a file have no known range, and are refused.

    Args:
        image: path, bytes or binary file of a JPEG, PNG, WebP, BMP or TIFF image (the content
            decides, not the name), `PIL.Image.Image`, or a numpy array `(height, width)` or
            `(height, width, channels)` of uint8 or of floats in [-1, 1].
        channels: int, 3 by default. Channels of the result: 3 (RGB) or 1 (gray). Any other number
            is possible for an array that has as many.
        max_pixels: int, 60,000,000 by default. Largest height times width that is decoded from a
            path, bytes or file; a TIFF, a WebP and a JPEG of several scans, whose decoders take
            more memory, may have 80, 47 and 61 % of that. A PIL image or an array may have any
            size.

    Returns:
        `OpenedImage`.

    Raises:
        FileNotFoundError: there is no such file.
        MemoryError: there is too little memory for the image.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        TypeError: `image` is none of these.
        ValueError: the file is no image or is incomplete; the pixels have no known range, are NaN,
            or floats outside of [-1, 1]; or the channels don't fit.
    """
    from PIL import Image

    if isinstance(image, np.ndarray):
        return _open_array(image, channels)
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise ValueError(f"The image has no pixels. Received a PIL image of size {image.size}.")
        return _open_pillow(image, channels, "this PIL image")
    if isinstance(image, (str, os.PathLike, bytes, bytearray)) or hasattr(image, "read"):
        return _open_file(image, channels, max_pixels)
    raise TypeError(
        "An image is a path, the bytes of a file, a PIL image, or an array of uint8 or of floats "
        f"in [-1, 1]. Received {image!r:.80} ({type(image).__name__})."
    )


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
    check_channels(channels)
    return open_image(source, channels, max_pixels).pixels


def check_channels(channels):
    """Raise a ValueError for anything but 1 and 3."""
    if channels not in (1, 3):
        raise ValueError(f"Images are decoded to 1 or 3 channels. Received: channels={channels!r}.")


# --- files and PIL images ----------------------------------------------------------------------


def _open_file(source, channels, max_pixels):
    from PIL import Image

    encoded = isinstance(source, (bytes, bytearray))
    name = f"an image of {len(source)} bytes" if encoded else source
    file = io.BytesIO(source) if encoded else source
    check_webp(_head(file), name, max_pixels)
    try:
        with _unlimited_pillow():
            image = Image.open(file, formats=FORMATS)  # reads the header only
    except Exception as error:  # Pillow's parsers fail in a dozen ways on a damaged file
        if isinstance(error, MemoryError) or getattr(error, "errno", None):  # it can't be opened
            raise
        raise _unreadable(name, error) from error
    with image:
        check_pixels(image, name, max_pixels)
        return _open_pillow(image, channels, name)


def _head(file):
    """Read the first bytes of a path or a binary file."""
    if not hasattr(file, "read"):
        check_regular(file)
        with open(file, "rb") as opened:
            return opened.read(HEAD)
    file.seek(0)  # as Pillow does
    head = file.read(HEAD)
    file.seek(0)
    return head


def _open_pillow(image, channels, name):
    if channels not in (1, 3):
        raise ValueError(
            f"Files and PIL images have 1 or 3 colour channels, but {channels} are needed. Give "
            f"arrays of shape (height, width, {channels})."
        )
    try:
        image.load()
        return to_array(image, "RGB" if channels == 3 else "L")
    except MemoryError as error:
        width, height = image.size
        raise MemoryError(
            f"There is too little memory to open {name}, of {height}×{width} pixels: expected "
            f"about {8 * height * width // 10**6 + 1} MB. End other programs, or make it smaller."
        ) from error
    except Exception as error:
        raise _unreadable(name, error) from error


def _unreadable(source, error):
    return ValueError(
        f"Can't read {source}: expected a whole JPEG, PNG, WebP, BMP or TIFF image with 8 or 16 "
        f"bits a channel. Pillow says: {error} ({type(error).__name__})."
    )


@contextlib.contextmanager
def _unlimited_pillow():
    """Turn off Pillow's own limit, which is global to the process, while a header is read."""
    from PIL import Image

    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


# --- arrays ------------------------------------------------------------------------------------


def _open_array(array, channels):
    _check_values(array)
    image = array[:, :, None] if array.ndim == 2 else array
    if image.ndim != 3:
        raise ValueError(
            "An image has shape (height, width) or (height, width, channels), a batch (n, height, "
            f"width, channels). Received an array of shape {array.shape}."
        )
    if 0 in image.shape:
        raise ValueError(f"The image has no pixels. Received an array of shape {array.shape}.")
    given, alpha = image.shape[2], None
    if given == 1 and channels == 3:
        image = np.repeat(image, 3, axis=2)
    elif given == channels + 1 and channels in (1, 3) and image.dtype == np.uint8:
        image, alpha = _on_white(image[:, :, :-1], image[:, :, -1]), image[:, :, -1]
    elif given != channels:
        raise ValueError(
            f"{channels} channels are needed{_alternatives(channels, image.dtype)}. Received an "
            f"image of shape {array.shape}."
        )
    return OpenedImage(image if image.dtype == np.uint8 else image.astype("float32"), alpha)


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


# --- sizes -------------------------------------------------------------------------------------


def resize_image(
    image: NDArray[np.uint8], size: tuple[int, int], resize: str = "stretch"
) -> NDArray[np.uint8]:
    """Bring an image to a size, by bicubic interpolation with antialiasing.

    Zhu et al. 2017, appendix 7.1, stretch training images to 286×286.

    Args:
        image: uint8 array, `(height, width, channels)`, with 1 or 3 channels.
        size: `(height, width)`.
        resize: `"stretch"` (the default, the paper's: changes the aspect ratio where it must),
            `"cover"` (keeps the aspect ratio: scales until the image covers the size, then cuts the
            centre out) or `"crop"` (cuts the centre out without scaling).

    Returns:
        uint8 array, `(*size, channels)`.

    Raises:
        ValueError: `resize` is unknown, or is `"crop"` and the image is smaller than `size`.

    Example:

    ```python
    photo = decode_image("horse.jpg")
    resize_image(photo, (256, 256), resize="cover").shape  # (256, 256, 3)
    ```
    """
    from PIL import Image, ImageOps

    check_choice("resize", resize, RESIZES)
    height, width = size
    if resize == "crop":
        top, left = image.shape[0] - height, image.shape[1] - width
        if top < 0 or left < 0:
            raise ValueError(
                f"The image is {image.shape[0]}×{image.shape[1]}, too small to cut "
                f"{height}×{width} out of it. Give a smaller size, or "
                '`resize="stretch"` or `resize="cover"`, which enlarge.'
            )
        return image[top // 2 : top // 2 + height, left // 2 : left // 2 + width]
    pillow = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if resize == "stretch":
        return with_channels(pillow.resize((width, height), Image.Resampling.BICUBIC))
    return with_channels(ImageOps.fit(pillow, (width, height), Image.Resampling.BICUBIC))
