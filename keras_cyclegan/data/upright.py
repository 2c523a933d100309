"""Converts a PIL image to an array, upright and on white, with little memory."""

from typing import NamedTuple

import numpy as np

ORIENTATION = 0x0112  # the tag of EXIF
BLOCK = 2**18  # pixels that are converted at once


class OpenedImage(NamedTuple):
    """One image as an array.

    Attributes:
        pixels: `(height, width, channels)`, upright; uint8, or float32 in [-1, 1] where floats
            were given. Transparency is composited on white.
        alpha: uint8 `(height, width)`, or None where the image has no transparency.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None


def to_array(image, mode):
    """Return a PIL image's upright pixels in a mode, and its alpha channel.

    It is converted block by block: as a whole, a large image would be in memory up to five times.
    """
    width, height = image.size
    orientation = image.getexif().get(ORIENTATION, 1)
    shape = (width, height) if orientation in (5, 6, 7, 8) else (height, width)
    pixels = np.empty((*shape, len(mode)), "uint8")
    alpha = None
    columns = min(width, BLOCK)
    rows = max(BLOCK // columns, 1)
    is_png = image.format == "PNG"
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            box = (left, top, min(left + columns, width), min(top + rows, height))
            place = (slice(box[1], box[3]), slice(box[0], box[2]))
            block = image if box == (0, 0, width, height) else image.crop(box)
            opaque, transparency = _convert(block, mode, is_png)
            _as_stored(pixels, orientation)[place] = opaque
            if transparency is not None:
                alpha = np.empty(shape, "uint8") if alpha is None else alpha
                _as_stored(alpha, orientation)[place] = transparency
    return OpenedImage(pixels, alpha)


def _convert(image, mode, is_png):
    """Return the pixels of a small image on white, and its alpha channel."""
    from PIL import Image

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
    return with_channels(image if image.mode == mode else image.convert(mode)), alpha


def _as_stored(upright, orientation):
    """Return a view of upright pixels in the orientation of the file; see EXIF's tag 274."""
    if orientation in (5, 6, 7, 8):
        upright = upright.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 6, 7) else 1
    columns = -1 if orientation in (2, 3, 7, 8) else 1
    return upright[::rows, ::columns]


def with_channels(image):
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array
