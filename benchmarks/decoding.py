"""What it takes to decode an image: bytes of memory a pixel, measured and counted.

`python benchmarks/decoding.py` prints the table behind `keras_cyclegan/data/pixel_limit.py`. Linux.
With `--speed`, it prints processor time to read 16-bit TIFFs, beside tifffile's alone, in turn.
"""

import ctypes
import io
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pillow_heif
from PIL import Image

from keras_cyclegan.data.decode import open_image, open_native
from keras_cyclegan.data.pixel_limit import PLAIN, PROGRESSIVE, TIFF, WEBP

SIDE = 4000
FULL = {"subsampling": 0}
ONE_STRIP = {"strip_size": 10**9}
KINDS = [
    ("PNG, RGB", "RGB", "PNG", {}, PLAIN),
    ("PNG, RGBA", "RGBA", "PNG", {}, PLAIN),
    ("PNG, one bit", "1", "PNG", {}, PLAIN),
    ("BMP", "RGB", "BMP", {}, PLAIN),
    ("JPEG", "RGB", "JPEG", FULL, PLAIN),
    ("JPEG, progressive", "RGB", "JPEG", {"progressive": True}, PROGRESSIVE),
    (
        "JPEG, progressive, 4:4:4",
        "RGB",
        "JPEG",
        {"progressive": True, "subsampling": 0},
        PROGRESSIVE,
    ),
    ("JPEG, progressive, CMYK", "CMYK", "JPEG", {"progressive": True}, PROGRESSIVE),
    ("HEIF", "RGB", "HEIF", {}, PLAIN),
    ("WebP, lossy", "RGB", "WEBP", {"method": 0}, WEBP),
    ("WebP, lossless, RGBA", "RGBA", "WEBP", {"method": 0, "lossless": True}, WEBP),
    ("TIFF, uncompressed", "RGB", "TIFF", {}, TIFF),
    ("TIFF, LZW, one strip, RGBA", "RGBA", "TIFF", {"compression": "tiff_lzw", **ONE_STRIP}, TIFF),
]


def peak(content):
    """Bytes that opening an image adds to the resident set, at its highest."""
    Image.core.clear_cache()  # what Pillow and the C library keep for later would be used again
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    open_image(content)
    return status("VmHWM") - before


def status(name):
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


def main():
    pillow_heif.register_heif_opener()
    coarse = np.random.default_rng(0).integers(0, 256, (SIDE // 50, SIDE // 50, 3), "uint8")
    picture = Image.fromarray(np.kron(coarse, np.ones((50, 50, 1), "uint8")))
    print("| image | bytes a pixel, at the peak | counted |\n|---|---|---|")
    for title, mode, form, options, counted in KINDS:
        file = io.BytesIO()
        picture.convert(mode).save(file, form, **options)
        print(f"| {title} | {peak(file.getvalue()) / SIDE**2:.1f} | {counted} |", flush=True)


def speed():
    import tifffile

    kinds = {"plain": {}, "deflate": {"compression": "zlib"}}
    kinds["LZW, tiles"] = {"compression": "lzw", "tile": (256, 256)}
    random = np.random.default_rng(0)
    print("| 16-bit TIFF | tifffile, ms | this package, ms | times |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.tif")
        for side in (512, 1024, 2048):
            coarse = np.kron(random.integers(0, 4080, (side // 8,) * 2), np.ones((8, 8), int))
            image = (coarse + random.integers(0, 16, coarse.shape)).astype("uint16")
            for title, options in kinds.items():
                tifffile.imwrite(path, image, **options)
                took = [[], []]
                for _ in range(40):
                    for times, read in zip(took, (tifffile.imread, read_native), strict=True):
                        start = time.process_time()
                        read(path)
                        times.append(1000 * (time.process_time() - start))
                theirs, ours = map(np.median, took)
                times = f"{theirs:.2f} | {ours:.2f} | {ours / theirs:.2f}"
                print(f"| {title}, {side}×{side} | {times} |", flush=True)


def read_native(path):
    return open_native(path, channels=1)


if __name__ == "__main__":
    speed() if "--speed" in sys.argv else main()
