"""An image file to a uint8 array, with Pillow (imported where it is used)."""

import numpy as np

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # Pillow's JPEG opens a camera's MPO too


def decode_image(source, channels=3):
    """Decodes an image to 8 bits a channel.

    What differs between files is settled here, in one way for all:

    - EXIF orientation is applied: the array is upright.
    - Gray becomes RGB with three equal channels; for `channels=1`, RGB becomes luma (ITU-R 601).
    - 16-bit gray is scaled to 8 bits (`value / 257`, rounded), not clipped. 16-bit RGB keeps its
      high byte, which is what Pillow decodes.
    - Transparency is composited on white.
    - Palettes, CMYK, YCbCr and LAB become RGB by Pillow's conversion, without colour profiles.
    - Of a file with several frames or pages, the first one is taken.
    - 32-bit integers and floats have no known range, and are refused.

    Args:
        source: path, binary file object, or `PIL.Image.Image`. Files may be JPEG, PNG, WebP, BMP
            or TIFF: their content decides, not their name.
        channels: 3 (RGB, the default) or 1 (gray).

    Returns:
        uint8 array, `(height, width, channels)`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, is cut off, or has pixels of unknown range.

    Example:

    ```python
    image = decode_image("horse.jpg")  # (height, width, 3), uint8
    ```
    """
    from PIL import Image, ImageOps

    check_channels(channels)
    mode = "RGB" if channels == 3 else "L"
    if isinstance(source, Image.Image):
        return _as_array(_to_mode(ImageOps.exif_transpose(source), mode))
    try:
        with Image.open(source, formats=FORMATS) as image:
            return _as_array(_to_mode(ImageOps.exif_transpose(image), mode))
    except (FileNotFoundError, IsADirectoryError, PermissionError, MemoryError):
        raise
    except Exception as error:  # Pillow's parsers fail in a dozen ways on a damaged file
        raise ValueError(
            f"Can't decode {source}: expected a whole JPEG, PNG, WebP, BMP or TIFF image with 8 or "
            f"16 bits a channel. Pillow says: {error} ({type(error).__name__})."
        ) from error


def resize_image(image, size, resize="stretch"):
    """Brings an image to a size; every resize is bicubic and antialiased.

    Args:
        image: uint8 array, `(height, width, channels)`, with 1 or 3 channels.
        size: `(height, width)`.
        resize: `"stretch"` (to the size, whatever the aspect: the paper's), `"cover"` (keeps the
            aspect: scaled until it covers the size, then cut at the centre), or `"crop"` (not
            scaled: cut at the centre).

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
        return _as_array(pillow.resize((width, height), Image.Resampling.BICUBIC))
    if resize == "cover":
        return _as_array(ImageOps.fit(pillow, (width, height), Image.Resampling.BICUBIC))
    raise ValueError(f'`resize` is "stretch", "cover" or "crop". Received: {resize!r}.')


def check_channels(channels):
    if channels not in (1, 3):
        raise ValueError(f"Images are decoded to 1 or 3 channels. Received: channels={channels!r}.")


def _to_mode(image, mode):
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # PNG has no 32-bit gray: Pillow's "I" is then a 16-bit image.
        image = Image.fromarray(((np.asarray(image, "uint32") + 128) // 257).astype("uint8"))
    elif image.mode in ("I", "F"):
        raise ValueError(f'32-bit pixels (Pillow\'s mode "{image.mode}") have no known range')
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _as_array(image):
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array
