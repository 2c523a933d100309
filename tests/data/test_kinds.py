"""Files of each kind, made by the library that its field uses, are read as they are; and back."""

import datetime

import h5py
import imagecodecs
import nibabel
import numpy as np
import pydicom
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


def make_nifti(path):
    volume = numbers(14, 12, 6, dtype="int16") - 1000
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([2.0, 3.0, 4.0, 1.0])), path)
    return volume.transpose(2, 1, 0)[..., None], 1


def make_meta(path):
    volume = numbers(6, 12, 14, dtype="int16") - 1000
    image = SimpleITK.GetImageFromArray(volume)
    image.SetSpacing((0.5, 0.6, 2.0))
    image.SetOrigin((1.0, 2.0, 3.0))
    SimpleITK.WriteImage(image, str(path))
    return volume[..., None], 1


def make_dicom(path, monochrome="MONOCHROME2", slope=1.0, frames=1):
    stored = numbers(frames, 12, 14)
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta[0x20002].value, meta[0x20003].value
    file.PatientName, file.PatientID, file.Modality = "Test^A", "1", "CT"
    file.StudyDate = datetime.date(2026, 1, 1).strftime("%Y%m%d")
    file.Rows, file.Columns, file.SamplesPerPixel = 12, 14, 1
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PhotometricInterpretation = monochrome
    file.RescaleSlope, file.RescaleIntercept = slope, -1024
    if frames > 1:
        file.NumberOfFrames = frames
    file.PixelData = stored.tobytes()
    file.save_as(path, enforce_file_format=True)
    stored = 4095 - stored.astype("float64") if monochrome[-1] == "1" else stored
    return (stored * slope - 1024).astype("int16" if slope == 1 else "float32")[..., None], 1


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
    given = f"{path}:/{inner}" if inner else path
    found = everything(given, channels)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    at_once = (".npz", ".gz", ".mha", ".mhd")
    assert open_stack(path, inner, channels).in_parts == (path.suffix not in at_once)

    (tmp_path / "out").mkdir()
    into = tmp_path / "out" / path.name
    write_images(into, np.roll(expected, 1, axis=1), given)
    again = everything(f"{into}:/{inner}" if inner else into, channels)
    assert again.dtype == expected.dtype
    np.testing.assert_array_equal(again, np.roll(expected, 1, axis=1))


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


def test_medical_headers_come_back(tmp_path):
    volume, _ = make_nifti(tmp_path / "a.nii.gz")
    write_images(tmp_path / "b.nii.gz", volume.astype("float32"), tmp_path / "a.nii.gz")
    image = nibabel.load(tmp_path / "b.nii.gz")
    np.testing.assert_array_equal(image.affine, np.diag([2.0, 3.0, 4.0, 1.0]))
    assert image.shape == (14, 12, 6)
    assert image.get_data_dtype() == "float32"

    volume, _ = make_meta(tmp_path / "a.mha")
    write_images(tmp_path / "b.mha", volume, tmp_path / "a.mha")
    image = SimpleITK.ReadImage(str(tmp_path / "b.mha"))
    assert (image.GetSpacing(), image.GetOrigin()) == ((0.5, 0.6, 2.0), (1.0, 2.0, 3.0))

    pixels, _ = make_dicom(tmp_path / "a.dcm", "MONOCHROME1")
    write_images(tmp_path / "b.dcm", pixels, tmp_path / "a.dcm")
    before, after = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in "ab")
    assert after.PatientID == before.PatientID
    assert after.ImageType[0] == "DERIVED"
    assert after.SOPInstanceUID != before.SOPInstanceUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)


def test_scaled_nifti_is_read_in_units(tmp_path):
    image = nibabel.Nifti1Image(numbers(14, 12, 3, dtype="float32"), np.eye(4))
    image.set_data_dtype("int16")  # nibabel stores a slope
    nibabel.save(image, tmp_path / "x.nii")
    found = everything(tmp_path / "x.nii")
    assert found.dtype == "float32"
    np.testing.assert_allclose(found[..., 0], image.get_fdata().transpose(2, 1, 0), atol=0.1)


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


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    make_meta(tmp_path / "x.mha")
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(ImportError, match=r"x\.mha needs SimpleITK: .*keras-cyclegan\[science\]"):
        open_native(tmp_path / "x.mha", 1)


def test_pages_of_eight_bits_are_images_of_their_own(tmp_path):
    pages = [Image.new("RGB", (14, 12), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    found = everything(tmp_path / "x.tif", 3)
    np.testing.assert_array_equal(found[:, 0, 0], [[255, 0, 0], [0, 0, 255]])
