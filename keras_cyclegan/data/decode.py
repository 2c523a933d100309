"""Whatever people call an image, to an array: the only file that opens images.

Pillow is imported where it is used.
"""

import contextlib
import io
import os
import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.data.pixels import check_unit

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # Pillow's JPEG opens a camera's MPO too
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte at 24 bits a pixel
ORIENTATION = 0x0112  # the tag of EXIF

_pillow_limit = threading.Lock()


class TooManyPixelsError(ValueError):
    """An encoded image has more pixels than `max_pixels`: it may be made to fill the memory."""


class OpenedImage(NamedTuple):
    """One image, whatever it was given as.

    Attributes:
        pixels: `(height, width, channels)`, upright; uint8, or float32 in [-1, 1] where floats
            were given. Transparency is composited on white.
        alpha: uint8 `(height, width)`, or None for an image without transparency.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None


def open_image(image, channels=3, max_pixels=MAX_PIXELS):
    """Open a path, the bytes of a file, a binary file, a PIL image or an array.

    What differs between files is settled here, in one way for training and translation:

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
        channels: int, defaults to 3. Channels that are wanted: 3 (RGB) or 1 (gray); an array may
            have any other count, if it is the one that is wanted.
        max_pixels: int, defaults to 89,478,485. Largest height times width that is decoded from a
            path, bytes or file. A PIL image or an array is taken at any size.

    Returns:
        `OpenedImage`.

    Raises:
        FileNotFoundError: there is no such file.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        TypeError: `image` is none of these.
        ValueError: the file is no image or is cut off, the pixels are of unknown range, NaN, or
            floats beyond [-1, 1], or the channels don't fit.
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
    """Decode an image to 8 bits a channel, as `open_image` says.

    Args:
        source: path, bytes, binary file, or `PIL.Image.Image`.
        channels: int, 3 (RGB, the default) or 1 (gray).
        max_pixels: int, defaults to 89,478,485. Largest height times width.

    Returns:
        uint8 array, `(height, width, channels)`.

    Raises:
        FileNotFoundError: there is no such file.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        ValueError: the file is no image, is cut off, or has pixels of unknown range.

    Example:

    ```python
    image = decode_image("horse.jpg")  # (height, width, 3), uint8
    ```
    """
    check_channels(channels)
    return open_image(source, channels, max_pixels).pixels


def check_channels(channels):
    if channels not in (1, 3):
        raise ValueError(f"Images are decoded to 1 or 3 channels. Received: channels={channels!r}.")


# --- files and PIL images ----------------------------------------------------------------------


def _open_file(source, channels, max_pixels):
    from PIL import Image

    encoded = isinstance(source, (bytes, bytearray))
    name = f"an image of {len(source)} bytes" if encoded else source
    file = io.BytesIO(source) if encoded else source
    try:
        with _unlimited_pillow():
            image = Image.open(file, formats=FORMATS)  # reads the header only
    except Exception as error:  # Pillow's parsers fail in a dozen ways on a damaged file
        if isinstance(error, MemoryError) or getattr(error, "errno", None):  # it can't be opened
            raise
        raise _unreadable(name, error) from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooManyPixelsError(
                f"{name} has {height}×{width} = {height * width} pixels, more than `max_pixels` = "
                f"{max_pixels}, which guards against small files that fill the memory. If you "
                f"trust the file, raise it: `max_pixels={height * width}`; or make the image "
                "smaller."
            )
        return _open_pillow(image, channels, name)


def _open_pillow(image, channels, name):
    if channels not in (1, 3):
        raise ValueError(
            f"Files and PIL images have 1 or 3 colour channels, and {channels} are wanted. Give "
            f"arrays of shape (height, width, {channels})."
        )
    try:
        image.load()
        return _to_array(image, "RGB" if channels == 3 else "L")
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


def _to_array(image, mode):
    """A PIL image's upright pixels in a mode, and its alpha channel."""
    from PIL import Image, ImageOps

    is_png = image.format == "PNG"  # a turned image has no format any more
    if image.getexif().get(ORIENTATION, 1) != 1:  # else Pillow would copy the image
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_png):
        # PNG has no 32-bit gray: an older Pillow's "I" is then a 16-bit image.
        image = Image.fromarray(((np.asarray(image, "uint32") + 128) // 257).astype("uint8"))
    elif image.mode in ("I", "F"):
        raise ValueError(f'32-bit pixels (Pillow\'s mode "{image.mode}") have no known range')
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return OpenedImage(_with_channels(image if image.mode == mode else image.convert(mode)), alpha)


def _with_channels(image):
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


def _unreadable(source, error):
    return ValueError(
        f"Can't read {source}: expected a whole JPEG, PNG, WebP, BMP or TIFF image with 8 or 16 "
        f"bits a channel. Pillow says: {error} ({type(error).__name__})."
    )


@contextlib.contextmanager
def _unlimited_pillow():
    """Lift Pillow's limit, which only exists for the whole process, while a header is read."""
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
            f"{channels} channels are wanted{_alternatives(channels, image.dtype)}. Received an "
            f"image of shape {array.shape}."
        )
    return OpenedImage(image if image.dtype == np.uint8 else image.astype("float32"), alpha)


def _check_values(array):
    """Refuse what is neither uint8 nor a float in [-1, 1]."""
    if array.dtype == np.uint8:
        return
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            "Pixels are uint8 (0 … 255) or floats in [-1, 1]. Received an array of dtype "
            f"{array.dtype}."
        )
    check_unit(array)


def _alternatives(channels, dtype):
    text = {1: "; gray as (height, width)", 3: "; gray as 1 or as (height, width)"}
    with_alpha = channels in text and dtype == np.uint8
    return text.get(channels, "") + (f", and {channels + 1} with alpha" if with_alpha else "")


def _on_white(pixels, alpha):
    """Transparency as the networks were trained to see it."""
    from PIL import Image

    rgba = np.concatenate([np.broadcast_to(pixels, (*alpha.shape, 3)), alpha[:, :, None]], axis=2)
    return _to_array(Image.fromarray(rgba), "RGB" if pixels.shape[2] == 3 else "L").pixels


# --- sizes -------------------------------------------------------------------------------------


def resize_image(
    image: NDArray[np.uint8], size: tuple[int, int], resize: str = "stretch"
) -> NDArray[np.uint8]:
    """Bring an image to a size; every resize is bicubic and antialiased.

    Args:
        image: uint8 array, `(height, width, channels)`, with 1 or 3 channels.
        size: `(height, width)`.
        resize: `"stretch"` (the default; to the size, whatever the aspect: the paper's), `"cover"`
            (keeps the aspect: scaled until it covers the size, then cut at the centre), or
            `"crop"` (not scaled: cut at the centre).

    Returns:
        uint8 array, `(*size, channels)`.

    Raises:
        ValueError: `resize="crop"`, and the image is smaller than `size`.
    """
    from PIL import Image, ImageOps

    height, width = size
    if resize == "crop":
        top, left = image.shape[0] - height, image.shape[1] - width
        if top < 0 or left < 0:
            raise ValueError(
                f"The image is {image.shape[0]}×{image.shape[1]}, smaller than {height}×{width}, "
                "which is to be cut from it. Give a smaller size, or "
                '`resize="stretch"` or `resize="cover"`, which enlarge.'
            )
        return image[top // 2 : top // 2 + height, left // 2 : left // 2 + width]
    pillow = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if resize == "stretch":
        return _with_channels(pillow.resize((width, height), Image.Resampling.BICUBIC))
    if resize == "cover":
        return _with_channels(ImageOps.fit(pillow, (width, height), Image.Resampling.BICUBIC))
    raise ValueError(f'`resize` is "stretch", "cover" or "crop". Received: {resize!r}.')
