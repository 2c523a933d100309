"""Opens JPEG, PNG, WebP, BMP, HEIF and TIFF by Pillow: upright, on white, in sRGB, by blocks."""

import contextlib
import io
import threading
import warnings
from typing import NamedTuple

import numpy as np

from keras_cyclegan.arguments import needs
from keras_cyclegan.data.kinds import MAGIC
from keras_cyclegan.data.pixel_limit import check_pixels
from keras_cyclegan.files.untrusted import check_regular, printable, reading

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # Pillow's JPEG opens a camera's MPO too
ORIENTATION = 0x0112  # the tag of EXIF
BLOCK = 2**18  # about as many pixels are converted at once

_pillow_limit = threading.Lock()


class OpenedImage(NamedTuple):
    """Pixels `(height, width, channels)`, upright and on white; alpha `(height, width)` or None."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None


def open_file(source, channels, max_pixels, native=False):
    """Open a path, the bytes of a file, or a binary file; `native`: 16 bits stay 16 bits.

    None for a TIFF that Pillow can't open as it is: of several bands, or `native` and deeper.
    """
    from PIL import Image

    file = name = source
    if isinstance(source, (bytes, bytearray)):
        file, name = io.BytesIO(source), f"an image of {len(source)} bytes"
    with contextlib.ExitStack() as opened:
        is_path = not hasattr(file, "read")
        if is_path:
            check_regular(source)
            file = opened.enter_context(open(source, "rb"))
        file.seek(0)  # as Pillow does
        head, formats = file.read(26), FORMATS
        is_tiff = head.startswith(MAGIC[4:])
        if head[4:].startswith((b"ftyphe", b"ftypmif")):
            needs("pillow_heif", f"{name}, a photo in HEIF,", "heic").register_heif_opener()
            formats = ("HEIF",)
        try:
            with reading(name, "an image"), _unlimited_pillow():
                image = Image.open(file, formats=formats)  # reads the header only
        except ValueError:
            if is_tiff and is_path:
                return None
            raise
        check_pixels(image, name, max_pixels)
        if is_tiff and (channels not in (1, 3) or (native and not _has_eight_bits(image))):
            return None
        if native and head[12:16] == b"IHDR" and head[24] == 16 and image.mode[0] != "I":
            return _deep_png(file, name)
        return open_pillow(image, channels, name, native)


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


def _has_eight_bits(image):
    return image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr") and (
        max(np.ravel(image.tag_v2.get(258, 1))) <= 8
    )


def _deep_png(file, name):
    """Open a PNG with 16 bits a channel and colours or transparency, which Pillow makes 8 bits."""
    codecs = needs("imagecodecs", f"{name}, a PNG of 16 bits with colours or transparency,")
    file.seek(0)
    pixels = codecs.png_decode(file.read())
    if pixels.shape[2] in (1, 3):
        return OpenedImage(pixels)
    share = pixels[..., -1:] / np.float32(65535)
    pixels = np.rint(pixels[..., :-1] * share + 65535 * (1 - share)).astype("uint16")
    return OpenedImage(pixels, np.rint(share[..., 0] * 255).astype("uint8"))


def open_pillow(image, channels, name, native=False):
    """Return the `OpenedImage` of a PIL image."""
    if channels not in (1, 3):
        raise ValueError(
            f"{name} has 1 or 3 colour channels, but {channels} are needed: give TIFF, NumPy or "
            "HDF5 files, or arrays."
        )
    with reading(name, "an image"):
        image.load()
        return _to_array(image, "RGB" if channels == 3 else "L", native, name)


def _to_array(image, mode, native, name):
    """Return a PIL image's upright pixels in a mode, "RGB" or "L".

    Some rows are converted at a time: as a whole, a large image would be in memory five times.
    """
    width, height = image.size
    orientation = _orientation(image)
    shape = (width, height) if orientation > 4 else (height, width)
    # PNG has no 32-bit gray: an older Pillow's "I" has 16 bits.
    is_deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    if native and is_deep:
        upright = np.empty(shape, "uint16")
        _as_stored(upright, orientation)[:] = np.asarray(image)
        return OpenedImage(np.repeat(upright[:, :, None], len(mode), axis=2))
    if is_deep and 0 < (top := int(np.asarray(image).max())) < 2**16 / 8:
        warnings.warn(
            f"{printable(name)} has 16 bits and values up to {top}: as 8 bits it is nearly black. "
            "Train such images with a range, `--range-a LOW HIGH`.",
            stacklevel=2,
        )
    pixels = np.empty((*shape, len(mode)), "uint8")
    alpha = None
    to_srgb = _profile_transform(image)
    rows = max(BLOCK // width, 1)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        block = image if rows >= height else image.crop((0, top, width, bottom))
        opaque, transparency = _convert(block, mode, is_deep, to_srgb)
        _as_stored(pixels, orientation)[top:bottom] = opaque
        if transparency is not None:
            alpha = np.empty(shape, "uint8") if alpha is None else alpha
            _as_stored(alpha, orientation)[top:bottom] = transparency
    return OpenedImage(pixels, alpha)


def _orientation(image):
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF that can't be read says nothing of orientation
        return 1
    return found if found in range(1, 9) else 1


def _as_stored(upright, orientation):
    """Return a view of upright pixels in the orientation of the file; see EXIF's tag 274."""
    if orientation > 4:
        upright = upright.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 6, 7) else 1
    columns = -1 if orientation in (2, 3, 7, 8) else 1
    return upright[::rows, ::columns]


def _profile_transform(image):
    """Return the conversion of a colour profile to sRGB, or None where there is none to do."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return None
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        mode = image.mode.removesuffix("A")
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):  # a damaged profile, or one of other colours
        return None


def _convert(image, mode, is_deep, to_srgb):
    """Return the pixels of a small image on white, and its alpha channel."""
    from PIL import Image

    alpha = None
    if is_deep:
        image = Image.fromarray(((np.asarray(image, "uint32") + 128) // 257).astype("uint8"))
    elif image.mode in ("I", "F"):
        raise ValueError(f'32-bit pixels (Pillow\'s mode "{image.mode}") have no known range')
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        band = image.getchannel("A")
        alpha = np.asarray(band)
        if to_srgb:
            image = to_srgb.apply(image.convert("RGB"))
            image.putalpha(band)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif to_srgb:
        image = to_srgb.apply(image)
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], len(mode)), alpha
