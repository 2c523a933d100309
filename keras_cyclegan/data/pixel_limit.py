"""Limits the pixels of an image before it is decoded, because small files can fill the memory."""

MAX_PIXELS = 61_000_000  # the largest of common cameras; less than 500 MB at eight bytes a pixel

# Bytes per pixel while an image is opened: Pillow's (measured by benchmarks/decoding.py; its colour
# pixels take four), those of the array, and a small reserve.
PLAIN = 8
SEVERAL_SCANS = 13  # libjpeg keeps the coefficients of all channels until the last scan
TIFF = 10  # a compressed strip may be the whole image
WEBP = 17  # two frames of a possible animation, and a copy
MAX_SCANS = 64
HEAD = 30  # first bytes of a WebP, which hold its size
JPEG_HEADERS = {*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE} - {0xC8}  # with a length


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
    elif image.format in ("JPEG", "MPO") and _has_several_scans(image):
        each = SEVERAL_SCANS
        _check_scans(image, name)
    _check(image.size, pixels, each, image.format, name, max_pixels)


def check_webp(head, name, max_pixels):
    """Do the same for the head of a WebP: Pillow allocates all of its pixels as it opens it."""
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
    """Return whether a JPEG is progressive, or its first scan lacks channels, or is hard to find.

    Pillow knows progressive files, but not those with one channel after the other.
    """
    if image.info.get("progressive"):
        return True
    file, position = image.fp, image.fp.tell()
    file.seek(2)
    marker = file.read(2)
    while marker[:1] == b"\xff" and marker[1:] and marker[1] in JPEG_HEADERS:
        file.seek(int.from_bytes(file.read(2), "big") - 2, 1)
        marker = file.read(2)
    channels = file.read(3)[2:]
    file.seek(position)
    return marker != b"\xff\xda" or channels != bytes([image.layers])


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
