"""Files of each kind are read as they are, and back; medical ones are made by their bytes."""

import gzip
import locale
import struct
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import imagecodecs
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from keras_cyclegan.data import TooManyPixelsError, load
from keras_cyclegan.data.decode import open_native
from keras_cyclegan.data.folders import find_split, frames
from keras_cyclegan.data.kinds import KINDS, Place, kind_of, split_name, suffix_of
from keras_cyclegan.data.stacks import open_stack, read_frame
from keras_cyclegan.data.writers import check_kind, write_images


def numbers(*shape, dtype="uint16", top=4000):
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def everything(path, channels=None):
    """All images of a file, as they are read for training."""
    images = [open_native(place, channels or 1) for place in frames(path, channels)]
    return np.stack(images)


def make_tiff(path, **options):
    stack = numbers(5, 12, 14)
    tifffile.imwrite(path, stack, **options)
    return stack[..., None], 1


def make_bands(path):
    bands = numbers(7, 12, 14)
    tifffile.imwrite(path, bands, planarconfig="separate", photometric="minisblack")
    return bands.transpose(1, 2, 0)[None], 7


def make_ome(path):
    stack = numbers(3, 2, 12, 14)
    tifffile.imwrite(path, stack, metadata={"axes": "ZCYX"}, ome=True)
    return stack.transpose(0, 2, 3, 1), 2


def make_npy(path):
    stack = numbers(4, 12, 14, 5, dtype="float32")
    np.save(path, stack)
    return stack, 5


def make_npz(path):
    stack = numbers(4, 12, 14, dtype="int16")
    np.savez_compressed(path, images=stack)
    return stack[..., None], 1


def make_hdf5(path):
    stack = numbers(4, 12, 14)
    with h5py.File(path, "w") as file:
        file["scans/first"] = stack
        file["labels"] = np.arange(4)
    return stack[..., None], 1


AFFINE = np.array([[1.6, -1.8, 0, 10], [1.2, 2.4, 0, -20], [0, 0, 4, 5]])  # of voxels 2×3×4 mm


def make_nifti(path, slope=1.0):
    """Write NIfTI-1 by the bytes of its standard: a volume turned about its last axis."""
    volume = numbers(6, 12, 14, dtype="int16") - 1000
    header = bytearray(352)
    for place, kind, values in (
        *((0, "i", [348]), (40, "8h", [3, 14, 12, 6, 1, 1, 1, 1]), (70, "2h", [4, 16])),
        *((76, "8f", [1, 2, 3, 4, 0, 0, 0, 0]), (108, "3f", [352, slope, 0]), (254, "h", [1])),
        *((280, "12f", AFFINE.ravel()), (344, "4s", [b"n+1\0"])),
    ):
        struct.pack_into(f"<{kind}", header, place, *values)
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write(header + volume.tobytes())
    found = volume if slope == 1 else (volume * slope).astype("float32")
    return found[..., None], 1


def read_nifti(path):
    """Return voxels and the affine by the bytes of the standard."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        content = file.read()
    rank, *shape = struct.unpack_from("<8h", content, 40)
    dtype = {4: "int16", 16: "float32", 512: "uint16"}[struct.unpack_from("<h", content, 70)[0]]
    begin, slope, offset = struct.unpack_from("<3f", content, 108)
    assert not slope or np.isnan(slope) or (slope, offset) == (1, 0)
    assert struct.unpack_from("<h", content, 254)[0] > 0
    affine = np.array(struct.unpack_from("<12f", content, 280)).reshape(3, 4)
    return np.frombuffer(content[int(begin) :], dtype).reshape(shape[:rank][::-1]), affine


def make_meta(path):
    volume = numbers(6, 12, 14, dtype="int16") - 1000
    image = SimpleITK.GetImageFromArray(volume)
    image.SetSpacing((0.5, 0.6, 2.0))
    image.SetOrigin((1.0, 2.0, 3.0))
    SimpleITK.WriteImage(image, str(path))
    return volume[..., None], 1


def make_dicom(path, monochrome="MONOCHROME2", slope=1.0, frames=1, intercept=-1024):
    """Write an explicit, little-endian DICOM file by the bytes of its standard."""
    stored = numbers(frames, 12, 14)

    def element(group, number, kind, value):
        if kind == "US":
            value = struct.pack("<H", value)
        elif isinstance(value, str):
            value = value.encode() + (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
        length = struct.pack("<xxI" if kind in ("OB", "OW") else "<H", len(value))
        return struct.pack("<HH", group, number) + kind.encode() + length + value

    image_class, name = "1.2.840.10008.5.1.4.1.1.2", f"2.25.{len(str(path))}"
    meta = [
        (1, "OB", b"\0\1"), (2, "UI", image_class), (3, "UI", name),
        (0x10, "UI", "1.2.840.10008.1.2.1"), (0x12, "UI", "2.25.1"),
    ]  # fmt: skip
    meta = b"".join(element(2, *each) for each in meta)
    body = [
        (8, 0x16, "UI", image_class), (8, 0x18, "UI", name), (8, 0x20, "DA", "20260101"),
        (8, 0x60, "CS", "CT"), (0x10, 0x10, "PN", "Test^A"), (0x10, 0x20, "LO", "1"),
        (0x20, 0xD, "UI", "2.25.7"), (0x20, 0xE, "UI", "2.25.8"),
        (0x20, 0x32, "DS", "1\\2\\3"), (0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0"),
        (0x28, 2, "US", 1), (0x28, 4, "CS", monochrome), (0x28, 8, "IS", str(frames)),
        (0x28, 0x10, "US", 12), (0x28, 0x11, "US", 14), (0x28, 0x30, "DS", "0.6\\0.5"),
        (0x28, 0x100, "US", 16), (0x28, 0x101, "US", 12), (0x28, 0x102, "US", 11),
        (0x28, 0x103, "US", 0), (0x28, 0x1052, "DS", str(intercept)),
        (0x28, 0x1053, "DS", str(slope)), (0x7FE0, 0x10, "OW", stored.tobytes()),
    ]  # fmt: skip
    head = element(2, 0, "UL", struct.pack("<I", len(meta)))
    body = b"".join(element(*each) for each in body)
    path.write_bytes(bytes(128) + b"DICM" + head + meta + body)
    stored = 4095 - stored.astype("float64") if monochrome[-1] == "1" else stored
    dtype = ("uint16" if intercept == 0 else "int16") if slope == 1 else "float32"
    return (stored * slope + intercept).astype(dtype)[..., None], 1


def read_dicom(path, *tag):
    """Return the value of the first element of this tag in a little-endian file."""
    content = path.read_bytes()[132:]
    place = content.index(struct.pack("<HH", *tag)) + 4
    kind, short = struct.unpack_from("<2sH", content, place)
    if kind in (b"OB", b"OW"):
        place, (length,) = place + 8, struct.unpack_from("<I", content, place + 4)
    elif kind.isalpha():  # explicit
        place, length = place + 4, short
    else:
        place, (length,) = place + 4, struct.unpack_from("<I", content, place)
    return content[place : place + length]


def text_of(path, *tag):
    return read_dicom(path, *tag).decode().strip(" \0")


MAKERS = {
    "stack.tif": make_tiff,
    "bands.tiff": make_bands,
    "z.ome.tif": make_ome,
    "x.npy": make_npy,
    "x.npz": make_npz,
    "x.h5:/scans/first": make_hdf5,
    "x.nii": make_nifti,
    "x.nii.gz": make_nifti,
    "x.mha": make_meta,
    "x.mhd": make_meta,
    "x.dcm": make_dicom,
    "one.dcm": lambda path: make_dicom(path, "MONOCHROME1"),
    "half.dcm": lambda path: make_dicom(path, slope=0.5),
    "frames.dcm": lambda path: make_dicom(path, frames=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_files_of_its_field_are_read_and_written(name, tmp_path):
    path, inner = split_name(tmp_path / name)
    expected, channels = MAKERS[name](path)
    encoding = locale.getencoding()  # GDCM, which reads DICOM, would leave ASCII behind
    given = f"{path}:/{inner}" if inner else path
    found = everything(given, channels)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    at_once = (".npz", ".nii", ".gz", ".mha", ".mhd", ".dcm")
    assert open_stack(path, inner, channels).in_parts == (path.suffix not in at_once)

    (tmp_path / "out").mkdir()
    into = tmp_path / "out" / path.name
    write_images(into, np.roll(expected, 1, axis=1), given)
    again = everything(f"{into}:/{inner}" if inner else into, channels)
    assert again.dtype == expected.dtype
    np.testing.assert_array_equal(again, np.roll(expected, 1, axis=1))
    assert locale.getencoding() == encoding


def test_geo_tags_and_resolution_are_copied_byte_for_byte(tmp_path):
    geo = [
        (33550, "d", 3, (10.0, 10.0, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 4.5e5, 5.1e6, 0.0), True),
        (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
        (42113, "s", 0, "-9999", True),
    ]
    for bands, dtype in ((4, "uint16"), (1, "float32"), (3, "uint8")):
        image = numbers(12, 14, bands, dtype=dtype, top=200)
        path, into = tmp_path / f"{dtype}.tif", tmp_path / f"{dtype}-out.tif"
        tifffile.imwrite(
            path, image, extratags=geo, resolution=(300, 200), resolutionunit=3, metadata=None
        )
        write_images(into, image[None], path)
        tags = []
        for file in (path, into):
            with tifffile.TiffFile(file) as opened:
                page = opened.pages[0]
                tags.append({c: page.tags[c].value for c in (282, 283, 296, *(g[0] for g in geo))})
        assert tags[0] == tags[1]


def test_geotiff_goes_both_ways_between_rasterio_and_here(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    bands = numbers(4, 12, 14)
    about = {"driver": "GTiff", "height": 12, "width": 14, "count": 4, "dtype": "uint16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(4.5e5, 5.1e6, 10, 10), "nodata": 0}
    for options in ({}, {"compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16}):
        with rasterio.open(tmp_path / "in.tif", "w", **about, **place, **options) as file:
            file.write(bands)
        found = everything(tmp_path / "in.tif", 4)
        np.testing.assert_array_equal(found[0], bands.transpose(1, 2, 0))
        write_images(tmp_path / "out.tif", found[:, ::-1], tmp_path / "in.tif")
        with (
            rasterio.open(tmp_path / "in.tif") as given,
            rasterio.open(tmp_path / "out.tif") as made,
        ):
            assert (made.crs, made.transform, made.nodata) == (given.crs, given.transform, 0)
            np.testing.assert_array_equal(made.read(), bands[:, ::-1])


def test_orientation_and_spacing_of_volumes_come_back(tmp_path):
    volume, _ = make_nifti(tmp_path / "a.nii.gz")
    write_images(tmp_path / "b.nii.gz", volume.astype("float32") / 2, tmp_path / "a.nii.gz")
    found, affine = read_nifti(tmp_path / "b.nii.gz")
    np.testing.assert_allclose(affine, AFFINE, atol=1e-5)
    np.testing.assert_array_equal(found, volume[..., 0] / np.float32(2))

    volume, _ = make_meta(tmp_path / "a.mha")
    write_images(tmp_path / "b.mha", volume, tmp_path / "a.mha")
    image = SimpleITK.ReadImage(str(tmp_path / "b.mha"))
    assert (image.GetSpacing(), image.GetOrigin()) == ((0.5, 0.6, 2.0), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(("monochrome", "slope"), [("MONOCHROME1", 1.0), ("MONOCHROME2", 0.5)])
def test_a_dicom_file_keeps_patient_place_and_bits(tmp_path, monochrome, slope):
    pixels, _ = make_dicom(tmp_path / "a.dcm", monochrome, slope)
    given = pixels + np.asarray(slope / 4).astype(pixels.dtype)
    given[0, 0, :2, 0] = -9999, 9999
    write_images(tmp_path / "b.dcm", given, tmp_path / "a.dcm")
    files = tmp_path / "a.dcm", tmp_path / "b.dcm"
    for tag in ((0x10, 0x20), (0x20, 0xD), (0x20, 0xE), (0x28, 0x101), (0x28, 0x103)):
        before, after = (text_of(file, *tag) for file in files)
        assert before == after
    for tag in ((0x20, 0x32), (0x20, 0x37), (0x28, 0x30)):
        places = [np.array(text_of(file, *tag).split("\\"), float) for file in files]
        np.testing.assert_allclose(*places)
    assert text_of(files[1], 8, 8).startswith("DERIVED")
    assert text_of(files[1], 8, 0x18) != text_of(files[0], 8, 0x18)
    assert text_of(files[1], 0x28, 4) == "MONOCHROME2"
    intercept, scale = (float(text_of(files[1], 0x28, number)) for number in (0x1052, 0x1053))
    stored = np.frombuffer(read_dicom(files[1], 0x7FE0, 0x10), "uint16").reshape(1, 12, 14, 1)
    assert stored[0, 0, :2, 0].tolist() == [0, 4095]
    np.testing.assert_array_equal((stored * scale + intercept)[:, 1:], pixels[:, 1:])


def test_scaled_nifti_is_read_in_units(tmp_path):
    volume, _ = make_nifti(tmp_path / "x.nii", slope=0.5)
    found = everything(tmp_path / "x.nii")
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, volume)
    write_images(tmp_path / "y.nii", volume, tmp_path / "x.nii")
    np.testing.assert_array_equal(read_nifti(tmp_path / "y.nii")[0], volume[..., 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_of_png_survive(tmp_path, channels):
    image = numbers(12, 14, channels, top=65536)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(image))
    np.testing.assert_array_equal(open_native(tmp_path / "x.png", channels), image)
    write_images(tmp_path / "y.png", image[None])
    np.testing.assert_array_equal(open_native(tmp_path / "y.png", channels), image)


def test_the_axes_of_arrays_are_told_by_the_channels(tmp_path):
    np.save(tmp_path / "x.npy", numbers(6, 12, 3))
    assert open_stack(tmp_path / "x.npy", channels=3).shape == (1, 6, 12, 3)
    assert open_stack(tmp_path / "x.npy", channels=1).shape == (6, 12, 3, 1)
    np.save(tmp_path / "y.npy", numbers(6, 12))
    assert open_stack(tmp_path / "y.npy", channels=1).shape == (1, 6, 12, 1)


def test_files_that_cannot_be_images_say_why(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=numbers(4, 4), b=numbers(4, 4))
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["x"], file["y"] = numbers(4, 4), numbers(4, 4)
    (tmp_path / "text.nii").write_text("no volume")
    tifffile.imwrite(tmp_path / "line.tif", numbers(5), metadata={"axes": "X"})
    for name, message in (
        ("objects.npy", "Python objects"),
        ("two.npz", "expected one array; it holds a.npy, b.npy"),
        ("two.h5", "holds the data sets x, y: give one as .*two.h5:/NAME"),
        ("text.nii", "Can't read .*text.nii as NIfTI"),
    ):
        with pytest.raises(ValueError, match=message):
            open_stack(tmp_path / name)


def test_small_files_of_many_pixels_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros((40, 1000, 1000), "uint8"))
    assert (tmp_path / "zeros.npz").stat().st_size < 10**5
    with pytest.raises(TooManyPixelsError, match=r"40 images of 1000×1000.*max_pixels=2500000`"):
        read_frame(Place(tmp_path / "zeros.npz"), max_pixels=2_000_000)
    np.save(tmp_path / "zeros.npy", np.zeros((40, 1000, 1000), "uint8"))
    assert read_frame(Place(tmp_path / "zeros.npy"), max_pixels=1_000_000).shape == (1000, 1000, 1)
    with pytest.raises(TooManyPixelsError, match="`max_pixels=1000000`"):
        read_frame(Place(tmp_path / "zeros.npy"), max_pixels=999_999)


def test_what_a_kind_cannot_hold_is_refused_before_it_is_written(tmp_path):
    for name, arguments in (
        ("x.jpg", ("uint16", 1)),
        ("x.png", ("float32", 1)),
        ("x.webp", ("uint8", 5)),
        ("x.bmp", ("uint8", 3, 4)),
        ("x.dcm", ("uint16", 3)),
        ("x.gif", ("uint8", 3)),
    ):
        with pytest.raises(ValueError, match=rf"{name} can't hold .* ends in .*\.npy"):
            check_kind(tmp_path / name, *arguments)
    for name, kind in KINDS.items():
        for dtype in kind.dtypes:
            check_kind(f"x{kind.suffixes[0]}", dtype, (kind.channels or (9,))[0])
        assert kind_of(f"X{kind.suffixes[-1].upper()}") == name


def test_names_are_taken_apart():
    assert suffix_of("a/B.NII.GZ") == ".nii.gz"
    assert suffix_of("a.b/c") == ""
    assert split_name("x.h5:/group/set") == (split_name("x.h5")[0], "group/set")
    assert split_name("x.png:/y")[1] is None
    assert str(Place(split_name("x.h5")[0], "set", 3)) == "x.h5:/set[3]"


def test_training_takes_slices_of_volumes_and_pages(tmp_path):
    for name in ("trainA", "trainB"):
        (tmp_path / name).mkdir()
    make_nifti(tmp_path / "trainA" / "patient.nii.gz")
    tifffile.imwrite(tmp_path / "trainB" / "film.tif", numbers(9, 12, 14))
    train, _ = load(
        tmp_path, image_size=(8, 12), channels=1, range_a=(-1000, 3000), range_b=(0, 4095)
    )
    assert len(train) == 9
    assert find_split(tmp_path / "trainA").count == 6
    pair = (tmp_path / "trainA" / "patient.nii.gz", tmp_path / "trainB" / "film.tif")
    again, _ = load(pair, image_size=(8, 12), channels=1, range_a=(-1000, 3000), range_b="auto")
    assert len(again) == 9
    assert again.pixels_a == train.pixels_a


def test_pages_are_read_by_threads_each_its_own(tmp_path):
    pages = numbers(200, 12, 14)
    tifffile.imwrite(tmp_path / "film.tif", pages)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(4):
                stack = open_stack(tmp_path / "film.tif")
                found = np.stack(list(pool.map(stack.read, range(len(pages)))))
                np.testing.assert_array_equal(found.reshape(pages.shape), pages)
    finally:
        sys.setswitchinterval(switch)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    make_meta(tmp_path / "x.mha")
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImportError, match=r"x\.mha needs SimpleITK: .*keras-cyclegan\[science\]"):
        open_native(tmp_path / "x.mha", 1)


def test_a_photo_of_a_phone_is_read_upright_and_says_what_it_needs(tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((64, 48, 3), "uint8")
    pixels[:32, :, 0] = 255  # red above
    turned = Image.fromarray(np.rot90(pixels).copy())  # as the sensor lay
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(turned).save(tmp_path / "x.heic", quality=95, exif=exif.tobytes())
    found = open_native(tmp_path / "x.heic", 3)
    assert found.shape == (64, 48, 3)
    assert np.abs(found.astype(int) - pixels).mean() < 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImportError, match=r"x\.heic, .* needs pillow_heif: .*\[heic\]"):
        open_native(tmp_path / "x.heic", 3)


def test_pages_of_eight_bits_are_images_of_their_own(tmp_path):
    pages = [Image.new("RGB", (14, 12), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    found = everything(tmp_path / "x.tif", 3)
    np.testing.assert_array_equal(found[:, 0, 0], [[255, 0, 0], [0, 0, 255]])
