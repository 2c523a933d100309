import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan.data import TooManyPixelsError, decode_image, from_unit, resize_image, to_unit


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    file.seek(0)
    return file


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), "uint8")


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})],
)
def test_lossless_formats_keep_every_pixel(colours, format, options):
    file = encoded(Image.fromarray(colours), format, **options)
    np.testing.assert_array_equal(decode_image(file), colours)


def test_jpeg_is_close():
    ramp = np.repeat(np.arange(0, 256, 8, dtype="uint8")[:, None, None], 32, axis=1).repeat(3, 2)
    decoded = decode_image(encoded(Image.fromarray(ramp), "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - ramp).max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, colours):
    upright = np.kron(colours, np.ones((16, 16, 1), "uint8"))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(upright)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode_image(encoded(stored, exif=exif)), upright)


def test_gray_gets_three_equal_channels(colours):
    gray = colours[..., 0]
    decoded = decode_image(encoded(Image.fromarray(gray)))
    np.testing.assert_array_equal(decoded, np.stack([gray] * 3, -1))


def test_one_channel_is_luma():
    red = np.zeros((4, 4, 3), "uint8")
    red[..., 0] = 255
    decoded = decode_image(encoded(Image.fromarray(red)), channels=1)
    assert decoded.shape == (4, 4, 1)
    assert (decoded == 76).all()  # 0.299 * 255


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_clipped(format):
    values = np.array([[0, 128, 129, 257], [32768, 40000, 65000, 65535]], "uint16")
    decoded = decode_image(encoded(Image.fromarray(values), format), channels=1)[..., 0]
    np.testing.assert_array_equal(decoded, np.rint(values / 257))


def test_12_bits_in_a_file_of_16_are_said_to_become_nearly_black():
    values = np.array([[0, 4095]], "uint16")
    with pytest.warns(UserWarning, match="values up to 4095: as 8 bits it is nearly black"):
        assert decode_image(encoded(Image.fromarray(values)), channels=1).max() == 16


def test_16_bit_rgb_keeps_the_high_byte():
    values = np.array([[[0, 255, 256], [0x1234, 0x80FF, 65535]]], ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        checksum = zlib.crc32(kind + body)
        file += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
    np.testing.assert_array_equal(decode_image(io.BytesIO(file)), values >> 8)


def test_16_bits_that_lie_on_their_side_are_scaled_and_turned():
    values = np.array([[0, 300, 65535], [257, 514, 40000]], "uint16")
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode_image(encoded(Image.fromarray(values), exif=exif), channels=1)[..., 0]
    np.testing.assert_array_equal(decoded, np.rot90(np.rint(values / 257), -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_are_white(mode):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    converted = image.convert(mode)
    if converted.getpixel((1, 1))[-1]:
        pytest.skip(f"this Pillow loses the transparency itself when it makes {mode}")
    decoded = decode_image(converted)
    assert (decoded[0, 0] == 0).all()
    assert (decoded[1:] == 255).all()


def test_half_transparent_is_blended_with_white():
    decoded = decode_image(encoded(Image.new("RGBA", (2, 2), (0, 100, 200, 128))))
    np.testing.assert_allclose(decoded[0, 0], [127, 177, 227], atol=1)


def test_palette_with_transparent_entry():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    decoded = decode_image(encoded(image, transparency=0))
    np.testing.assert_array_equal(decoded, [[[255, 255, 255], [40, 50, 60]]])


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    np.testing.assert_allclose(decode_image(encoded(image, "JPEG"))[8, 8], [255, 0, 0], atol=3)


def test_first_frame_of_several():
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    file = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert (decode_image(file)[0, 0] == [255, 0, 0]).all()


def test_cut_off_file_is_named(tmp_path, colours):
    path = tmp_path / "cut.png"
    path.write_bytes(
        encoded(Image.fromarray(np.kron(colours, np.ones((9, 9, 1), "uint8")))).read()[:-600]
    )
    with pytest.raises(ValueError, match=r"Can't read .*cut\.png as an image: "):
        decode_image(path)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n"])
def test_no_image_is_named(tmp_path, content):
    path = tmp_path / "fake.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fake\.jpg.*cannot identify image file"):
        decode_image(path)


def test_a_cameras_jpeg_with_a_preview_is_one(tmp_path, colours):
    image, preview = Image.fromarray(colours), Image.fromarray(colours[:4, :4])
    path = tmp_path / "camera.jpg"
    image.save(path, format="MPO", save_all=True, append_images=[preview])
    assert decode_image(path).shape == colours.shape


def test_training_refuses_the_same_bombs_as_translation(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.new("L", (60, 50)).save(path)
    with pytest.raises(TooManyPixelsError, match=r"bomb\.png has 50×60 = 3000 pixels"):
        decode_image(path, max_pixels=2999)
    with pytest.raises(ValueError, match=r"an image of \d+ bytes has 50×60"):
        decode_image(path.read_bytes(), max_pixels=2999)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # one limit counts, not Pillow's
    assert decode_image(path, max_pixels=3000).shape == (50, 60, 3)


def test_name_that_no_disk_takes_is_not_called_damaged():
    with pytest.raises(OSError, match="name too long"):
        decode_image("x" * 300 + ".png")


def test_unknown_range_is_refused():
    floats = Image.fromarray(np.full((4, 4), 0.5, "float32"))
    with pytest.raises(ValueError, match="no known range"):
        decode_image(encoded(floats, "TIFF"))


def test_missing_file_is_not_called_damaged():
    with pytest.raises(FileNotFoundError):
        decode_image("nowhere.png")


def test_other_channel_counts_are_refused():
    with pytest.raises(ValueError, match="but 4 are needed"):
        decode_image(Image.new("RGB", (4, 4)), channels=4)


def test_resize_is_antialiased():
    stripes = np.zeros((64, 64, 1), "uint8")
    stripes[:, ::2] = 255
    # Without a filter as wide as the step, every fourth column gives all black or all white.
    assert np.abs(resize_image(stripes, (16, 16)).astype(int) - 127).max() < 16


def test_ways_to_resize():
    wide = np.zeros((10, 30, 3), "uint8")
    wide[:, 10:20] = 255
    stretched = resize_image(wide, (20, 20), "stretch")
    covered = resize_image(wide, (20, 20), "cover")
    cropped = resize_image(wide, (8, 8), "crop")
    assert stretched.shape == covered.shape == (20, 20, 3)
    assert stretched[:, 0].max() == 0
    assert covered[:, 2:-2].min() > 250  # the middle third, enlarged
    assert cropped.shape == (8, 8, 3)
    assert cropped.min() == 255


def test_image_smaller_than_the_cut_is_an_error():
    with pytest.raises(ValueError, match="10×30, too small to cut 16×16"):
        resize_image(np.zeros((10, 30, 3), "uint8"), (16, 16), "crop")


def test_every_pixel_value_survives_scaling():
    import keras

    values = np.arange(256, dtype="uint8")
    scaled = to_unit(values)
    assert scaled.dtype == "float32"
    assert (scaled.min(), scaled.max()) == (-1.0, 1.0)
    np.testing.assert_array_equal(from_unit(scaled), values)
    tensor = keras.ops.convert_to_tensor(values)
    there_and_back = from_unit(to_unit(tensor))
    assert keras.backend.standardize_dtype(there_and_back.dtype) == "uint8"
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(there_and_back), values)


def test_from_unit_rounds_to_nearest_and_clips():
    pixels = np.array([-3.0, -0.6, 0.4, 0.6, 254.4, 254.6, 300.0])
    np.testing.assert_array_equal(from_unit(pixels / 127.5 - 1), [0, 0, 0, 1, 254, 255, 255])


def test_exif_that_cannot_be_read_says_nothing_of_orientation(tmp_path):
    image = Image.new("RGB", (40, 30), (200, 100, 50))
    content = encoded(image).read()
    place = content.index(b"IDAT") - 4
    chunk = b"eXIf" + b"b'Exif\\x00\\x00II'"
    length, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    files = [
        content[:place] + length + chunk + checksum + content[place:],
        encoded(image, "WEBP", exif=b"Exif\0\0garbage garbage").read(),
        encoded(image, "JPEG", dpi=(72, 72), exif=b"Exif\0\0garbage garbage").read(),
    ]
    for file in files:
        assert decode_image(file).shape == (30, 40, 3)


def test_another_colour_profile_becomes_srgb():
    from PIL import ImageCms

    image = Image.new("RGB", (4, 4), (200, 40, 40))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decode_image(encoded(image))
    np.testing.assert_array_equal(decode_image(encoded(image, icc_profile=srgb)), plain)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(decode_image(encoded(image, icc_profile=lab)), plain)
    np.testing.assert_array_equal(decode_image(encoded(image, icc_profile=b"damaged")), plain)
    found = decode_image(encoded(image, icc_profile=swapped(srgb)))[0, 0]
    assert abs(int(found[1]) - 200) < 30  # red's numbers are green's in this profile
    assert found[0] < 120


def swapped(profile):
    """Exchange the primaries red and green of a profile, and its name."""
    moved = bytearray(profile)
    count = int.from_bytes(profile[128:132], "big")
    places = {profile[132 + 12 * i : 136 + 12 * i]: 132 + 12 * i for i in range(count)}
    red, green = (slice(places[n] + 4, places[n] + 12) for n in (b"rXYZ", b"gXYZ"))
    moved[red], moved[green] = profile[green], profile[red]
    return bytes(moved).replace("sRGB".encode("utf-16-be"), "Odd!".encode("utf-16-be"))
