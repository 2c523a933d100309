"""How large an image may be before it is decoded: small files can be made to fill the memory."""

import struct

MAX_PIXELS = 60_000_000  # at eight bytes a pixel, less than 500 MB

# Bytes a pixel: what Pillow takes while it decodes (measured: benchmarks/decoding.py), the array
# that it becomes, and a little for what both work with. Pillow has four for a colour pixel.
PLAIN = 8
SEVERAL_SCANS = 13  # libjpeg keeps the coefficients of all channels until the last scan
TIFF = 10  # a compressed strip may be the whole image
WEBP = 17  # two frames of the animation that it may be, and a copy
MOST_SCANS = 64
HEAD = 30  # bytes of a WebP that say its size


class TooManyPixelsError(ValueError):
    """Raised when an image file has more pixels than `max_pixels`, since it could fill the memory.

    If you trust the file, raise that limit; the message says to what.
    """


def check_pixels(image, name, max_pixels):
    """Refuse an opened, not yet decoded image that would take too much memory or time.

    Args:
        image: of `PIL.Image.open`.
        name: what a message calls it.
        max_pixels: int. Largest height times width of an image that takes `PLAIN` bytes a pixel;
            one that takes more may have fewer.

    Raises:
        TooManyPixelsError: it has more. The message says which `max_pixels` would do.
        ValueError: a JPEG that goes over the image again and again.
    """
    each, tile = PLAIN, 0
    if image.format == "TIFF":
        each = TIFF
        # A tile is decoded as a whole, and may be larger than its image: tags of width and length.
        sides = [image.tag_v2.get(tag, 0) for tag in (322, 323)]
        tile = sides[0] * sides[1] if all(isinstance(side, int) for side in sides) else 0
    elif image.format == "WEBP":
        each = WEBP
    elif image.format in ("JPEG", "MPO") and _has_several_scans(image):
        each = SEVERAL_SCANS
        _check_scans(image, name)
    _check(image.size, max(image.width * image.height, tile), each, image.format, name, max_pixels)


def check_webp(head, name, max_pixels):
    """The same for a WebP, which Pillow can't open without memory for all of its pixels.

    Args:
        head: the file's first `HEAD` bytes; those of no WebP are left alone.
        name, max_pixels: as above.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < HEAD:
        return
    kind, frame = head[12:16], head[20:]
    if kind == b"VP8X":
        size = [1 + int.from_bytes(frame[at : at + 3], "little") for at in (4, 7)]
    elif kind == b"VP8L":
        bits = int.from_bytes(frame[1:5], "little")
        size = [1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)]
    else:
        size = [int.from_bytes(frame[at : at + 2], "little") & 0x3FFF for at in (6, 8)]
    _check(size, size[0] * size[1], WEBP, "WEBP", name, max_pixels)


def _check(size, pixels, each, form, name, max_pixels):
    width, height = size
    allowed = max_pixels * PLAIN // each
    if pixels <= allowed:
        return
    counted = ""
    if each != PLAIN:
        counted = (
            f" (of which {allowed} are left for this kind of {form}: it takes {each} bytes a pixel "
            f"to decode, where others take {PLAIN})"
        )
    raise TooManyPixelsError(
        f"{name} has {height}×{width} = {height * width} pixels, more than `max_pixels` = "
        f"{max_pixels}{counted}, which guards against small files that fill the memory. If you "
        f"trust the file, raise it: `max_pixels={-(-pixels * each // PLAIN)}`; or make the image "
        "smaller."
    )


def _has_several_scans(image):
    """Whether a JPEG's first scan has neither all channels nor all of their bits.

    Pillow tells of progressive files, but not of those that bring one channel after another.
    """
    if image.info.get("progressive"):
        return True
    file = image.fp
    position = file.tell()
    try:
        file.seek(2)
        while True:
            while file.read(1) not in (b"\xff", b""):
                pass
            code = file.read(1)
            while code == b"\xff":
                code = file.read(1)
            if code == b"":
                return True  # no scan where Pillow saw one
            if code in (b"\x00", b"\x01") or b"\xd0" <= code <= b"\xd8":
                continue  # alone, without a length
            (length,) = struct.unpack(">H", file.read(2))
            if code == b"\xda":
                return file.read(1) != bytes([image.layers])
            file.seek(length - 2, 1)
    except (struct.error, ValueError):
        return True
    finally:
        file.seek(position)


def _check_scans(image, name):
    """libjpeg goes over the whole image for each scan, which may be a hundred bytes."""
    position = image.fp.tell()
    image.fp.seek(0)
    count = image.fp.read().count(b"\xff\xda")
    image.fp.seek(position)
    if count > MOST_SCANS:
        raise ValueError(
            f"{name} is a JPEG of {count} scans; {MOST_SCANS} are allowed, and programs write "
            "about ten. Save it anew."
        )
