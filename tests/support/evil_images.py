"""Images that no camera makes: small files that take much memory or time, or say what isn't so."""

import io
import struct
import zlib

from PIL import Image


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png(width, height, data=b"", bits=8, kind=2, more=()):
    """A PNG of these sizes, whatever its data."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), *more, (b"IDAT", data), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(name + body))
        content += struct.pack(">I", len(body)) + name + body + check
    return content


def tiff(width, height, data=b"", **tags):
    """A gray, compressed TIFF of these sizes; `tags` by their numbers, `tag322=…`."""
    entries = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 277: 1}
    entries |= {int(name[3:]): value for name, value in tags.items()}
    if 324 not in entries:
        entries |= {273: 0, 278: height, 279: len(data)}
    behind = 8 + 2 + 12 * len(entries) + 4
    entries |= {tag: behind for tag in (273, 324) if tag in entries}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
    count = struct.pack("<H", len(entries))
    return b"II*\0" + struct.pack("<I", 8) + count + directory + bytes(4) + data


def webp(width, height, data=b""):
    """A WebP whose only frame is said to have these sizes."""
    frame = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + data
    chunk = b"VP8 " + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def resized_jpeg(content, width, height):
    """A JPEG that says that it has another size than it was written with."""
    content = bytearray(content)
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        if (at := content.find(marker)) >= 0:
            content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def jpeg_of_many_scans(side, scans):
    """A progressive JPEG that repeats its last scan; libjpeg goes over the whole image for each."""
    content = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * scans + b"\xff\xd9"


def files():
    """From what is wrong with an image to its bytes; all of them are to be refused."""
    progressive = encoded(Image.new("RGB", (16, 16)), "JPEG", progressive=True)
    plain = encoded(Image.new("RGB", (16, 16)), "JPEG")
    flat = zlib.compress(bytes(9400 * (1 + 9400 // 8)), 9)
    return {
        "flat png, 10 KB": png(9400, 9400, flat, bits=1, kind=0),
        "png bomb": png(30_000, 30_000, zlib.compress(bytes(10**6))),
        "longest png": png(2**31 - 1, 1),
        "png without pixels": png(0, 0),
        "png without data": png(7700, 7700),
        "png cut off": png(7700, 7700, zlib.compress(bytes(10**7))[:9000]),
        "png of a long profile": png(
            9, 9, more=[(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**7)))]
        ),
        "png of a long text": png(9, 9, more=[(b"zTXt", b"x\0\0" + zlib.compress(bytes(10**7)))]),
        "png with a broken EXIF": png(9, 9, more=[(b"eXIf", b"II*\0\x08\0\0\0\xff\xff")]),
        "largest webp": webp(16383, 16383),
        "webp cut off": webp(5000, 5000, bytes(100)),
        "tiff with a huge tile": tiff(
            16, 16, bytes(50), tag322=50_000, tag323=40_000, tag324=0, tag325=50
        ),
        "tiff with an endless tile": tiff(
            16, 16, bytes(50), tag322=2**31, tag323=2**31, tag324=0, tag325=50
        ),
        "tiff without data": tiff(6900, 6900),
        "tiff of a broken strip": tiff(6900, 6900, bytes(1000)),
        "tiff of floats": tiff(16, 16, bytes(1024), tag258=32, tag259=1, tag339=3),
        "longest tiff": tiff(2**32 - 1, 2**32 - 1, bytes(50)),
        "progressive jpeg cut off": resized_jpeg(progressive, 6000, 6000)[:-9],
        "jpeg of a huge size": resized_jpeg(plain, 65_500, 65_500),
        "jpeg cut off": resized_jpeg(plain, 7700, 7700)[:-9],
        "jpeg of a thousand scans": jpeg_of_many_scans(3000, 1000),
    }
