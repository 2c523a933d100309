"""What an image may take of the memory, before it is decoded and while it is."""

import os

import numpy as np
import pytest
from PIL import Image
from support import evil_images
from support.bounds import little_memory, refused
from support.evil_images import encoded

from keras_cyclegan.data import decode_image, pillow_files
from keras_cyclegan.data.decode import open_image
from keras_cyclegan.data.pixel_limit import PLAIN, PROGRESSIVE, TIFF, WEBP

SIDE = 3000
OVERHEAD = 24 * 2**20  # Pillow's blocks of 16 MB, what a block of pixels is converted with
ONE_STRIP = {"strip_size": 10**9}


def large(mode):
    ramp = np.linspace(0, 255, SIDE).astype("uint8")
    if mode == "I;16":
        return Image.fromarray(np.broadcast_to(ramp, (SIDE, SIDE)).astype("uint16"))
    bands = Image.fromarray(np.broadcast_to(ramp[:, None], (SIDE, SIDE)).copy())
    return bands.convert("RGBA" if mode == "RGBA" else "RGB").convert(mode)


# The others: benchmarks/decoding.py.
KINDS = {
    "png with alpha": ("RGBA", "PNG", {}, PLAIN),
    "png of 16 bits": ("I;16", "PNG", {}, PLAIN),
    "jpeg": ("RGB", "JPEG", {"subsampling": 0}, PLAIN),
    "progressive cmyk": ("CMYK", "JPEG", {"progressive": True}, PROGRESSIVE),
    "webp with alpha": ("RGBA", "WEBP", {"method": 0}, WEBP),
    "tiff in one strip": ("RGBA", "TIFF", {"compression": "tiff_lzw", **ONE_STRIP}, TIFF),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_takes_no_more_than_is_counted_and_the_limit_counts_it(kind):
    mode, form, options, each = KINDS[kind]
    exif = Image.Exif()
    exif[0x0112] = 6  # to turn it takes nothing more
    content = encoded(large(mode), form, exif=exif, **options)
    with little_memory(each * SIDE * SIDE + OVERHEAD):
        assert open_image(content).pixels.shape == (SIDE, SIDE, 3)
    enough = -(-SIDE * SIDE * each // PLAIN)
    with refused(f"max_pixels={enough}`") as error:
        decode_image(content, max_pixels=enough - 1)
    assert f"takes {each} bytes a pixel" in str(error.value)


EVIL = evil_images.files()


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_image_is_refused(name, tmp_path):
    path = tmp_path / "evil.img"
    path.write_bytes(EVIL[name])
    with refused(r"evil\.img[ :]"):
        decode_image(path)


def test_a_pipe_or_device_is_refused_before_it_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "evil.png")
    (tmp_path / "link.png").symlink_to("/dev/zero")
    for name in ("evil.png", "link.png"):
        with refused(rf"{name}: expected a file, but it is a pipe or a device"):
            decode_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flat png, 10 KB", "9400×9400 = 88360000 pixels.*`max_pixels=88360000`"),
        ("tiff with a huge tile", "`max_pixels=2500000000`"),
        ("jpeg of a thousand scans", r"a JPEG of 10\d\d scans; 64 are allowed"),
    ],
)
def test_what_is_too_large_says_so(name, said):
    with refused(said):
        decode_image(EVIL[name])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "I;16", "CMYK"])
def test_blocks_make_the_whole_image(orientation, mode, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 13, 4), "uint8")
    image = Image.fromarray(pixels).convert("RGB" if mode in ("P", "CMYK") else "RGBA")
    if mode == "I;16":
        image = Image.fromarray(pixels[:, :, 0].astype("uint16") * 200)
    elif mode != "RGBA":
        image = image.convert(mode)
    image.getexif()[0x0112] = orientation
    whole = open_image(image)
    for block in (1, 13, 40):
        monkeypatch.setattr(pillow_files, "BLOCK", block)
        in_blocks = open_image(image)
        np.testing.assert_array_equal(in_blocks.pixels, whole.pixels)
        assert (in_blocks.alpha is None) == (whole.alpha is None) == (mode != "RGBA")
        if whole.alpha is not None:
            np.testing.assert_array_equal(in_blocks.alpha, whole.alpha)
