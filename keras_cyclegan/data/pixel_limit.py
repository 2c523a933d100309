"""Limits the pixels of an image before it is decoded, because small files can fill the memory."""

MAX_PIXELS = 61_000_000  # the largest of common cameras; less than 500 MB at eight bytes a pixel

# Bytes per pixel while an image is opened: Pillow's (measured by benchmarks/decoding.py; its colour
# pixels take four), those of the array, and a small reserve.
PLAIN = 8
PROGRESSIVE = 13  # libjpeg keeps the coefficients of all channels until the last scan
TIFF = 10  # a compressed strip may be the whole image
WEBP = 17  # two frames of a possible animation, and a copy
MAX_SCANS = 64


class TooManyPixelsError(ValueError):
    """Raised when an image file has more pixels than `max_pixels`, since it could fill the memory.

    If you trust the file, raise that limit; the message says to what.
    """


def check_pixels(image, name, max_pixels):
    """Refuse an opened, not yet decoded PIL image that would take too much memory or time."""
    each, pixels = {"TIFF": TIFF, "WEBP": WEBP}.get(image.format, PLAIN), image.width * image.height
    if image.format == "TIFF":
        # A tile is decoded as a whole, and may be larger than its image: tags of width and length.
        sides = [image.tag_v2.get(tag, 0) for tag in (322, 323)]
        if all(isinstance(side, int) for side in sides):
            pixels = max(pixels, sides[0] * sides[1])
    elif image.info.get("progressive"):
        each = PROGRESSIVE
        _check_scans(image, name)
    needed = -(-pixels * each // PLAIN)
    if needed > max_pixels:
        raise TooManyPixelsError(
            f"{name} has {image.height}×{image.width} = {image.height * image.width} pixels, more "
            f"than `max_pixels` = {max_pixels} allows ({image.format} takes {each} bytes a pixel, "
            f"{PLAIN} are usual): small files can fill the memory. If you trust the file, raise "
            f"it: `max_pixels={needed}`."
        )


def _check_scans(image, name):
    """Raise a ValueError for too many scans: a scan of 100 bytes costs a pass over the image."""
    position = image.fp.tell()
    image.fp.seek(0)
    count = image.fp.read().count(b"\xff\xda")
    image.fp.seek(position)
    if count > MAX_SCANS:
        raise ValueError(
            f"{name} is a JPEG of {count} scans; {MAX_SCANS} are allowed, and programs write "
            "about ten. Save it anew."
        )
