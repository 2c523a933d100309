"""Files that hold arrays: TIFF of any depth, NumPy, HDF5, and medical volumes as slices.

Each is read by the library that its field uses, imported where it is used.
"""

import functools
import importlib
import math
import os
import threading
import zipfile
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.data.kinds import KINDS, kind_of
from keras_cyclegan.data.pixel_limit import MAX_PIXELS, TooManyPixelsError

VOLUME = 16  # a volume may have so many times the pixels of an image
_lock = threading.Lock()


class Stack(NamedTuple):
    """All images of a file.

    Attributes:
        shape: `(n, height, width, channels)`.
        read: function that returns the array of this shape, in the file's dtype.
        dtype: `numpy.dtype` of the file's numbers.
        unit: string, empty where the file doesn't say.
        like: what a file of the same kind needs to be written; see `write_stack`.
    """

    shape: tuple[int, int, int, int]
    read: Any
    dtype: np.dtype
    unit: str = ""
    like: Any = None


def open_stack(path, name=None, channels=None, max_pixels=MAX_PIXELS):
    """Read the header of a file of arrays.

    Args:
        path: path of the file; its suffix says what it is.
        name: name of a data set in an HDF5 file. None, the default, for the only one.
        channels: int. In a NumPy or HDF5 file of rank 3, the last axis is of channels if it is as
            long, or of length 1; else the first one counts images of one channel.
        max_pixels: see `open_image`; a volume may have 16 times as many in all.

    Returns:
        `Stack`.

    Raises:
        ImportError: the library that reads it isn't installed.
        TooManyPixelsError: it has more pixels.
        ValueError: the file is damaged, or its axes are unknown.
    """
    kind = kind_of(path)
    try:
        stack = _OPEN[kind](os.fspath(path), name, channels)
    except (ImportError, TooManyPixelsError, FileNotFoundError):
        raise
    except Exception as error:  # these libraries fail in dozens of ways on damaged files
        if isinstance(error, MemoryError):
            raise
        raise ValueError(
            f"Can't read {path} as {kind}: {error} ({type(error).__name__})."
        ) from error
    count, height, width, _ = stack.shape
    for pixels, limit in ((height * width, max_pixels), (math.prod(stack.shape), VOLUME)):
        limit = max_pixels * VOLUME if limit == VOLUME else limit
        if pixels > limit:
            raise TooManyPixelsError(
                f"{path} has {count} images of {height}×{width} pixels, more than `max_pixels` = "
                f"{max_pixels} (and {VOLUME} times that in all), which guards against small files "
                f"that fill the memory. If you trust the file, raise it: "
                f"`max_pixels={-(-max_pixels * pixels // limit)}`."
            )
    return stack


def read_frame(path, index=0, name=None, channels=None, max_pixels=MAX_PIXELS):
    """Return one image of a file, `(height, width, channels)`, in the file's dtype."""
    state = os.stat(path)
    with _lock:  # the images of a file come one after the other, and are read once
        array = _read(os.fspath(path), name, channels, max_pixels, state.st_mtime_ns, state.st_size)
    return array[index]


@functools.lru_cache(maxsize=1)
def _read(path, name, channels, max_pixels, *_):
    try:
        return open_stack(path, name, channels, max_pixels).read()
    except (ImportError, ValueError, MemoryError, FileNotFoundError):
        raise
    except Exception as error:
        raise ValueError(f"Can't read {path}: {error} ({type(error).__name__}).") from error


def needs(package, path):
    """Import an optional library, or say what to install."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{path} needs {package.partition('.')[0]}: `pip install 'keras-cyclegan[science]'`."
        ) from error


def _open_tiff(path, name, channels):
    tifffile = needs("tifffile", path)
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        axes, shape = series.axes, series.shape
        page = series.keyframe
        if max(page.tilewidth * page.tilelength, 0) > MAX_PIXELS:
            raise TooManyPixelsError(f"{path} has a tile of {page.tilewidth}×{page.tilelength}.")
        like = {
            "tags": [
                (tag.code, tag.dtype, tag.count, tag.value, True)
                for tag in page.tags
                if tag.code in COPIED_TAGS
            ],
            "photometric": page.photometric.name.lower(),
            "planar": page.planarconfig.name.lower() if page.samplesperpixel > 1 else None,
        }
        dtype = series.dtype
    if sorted(axes)[-2:] != ["X", "Y"] and not {"X", "Y"} <= set(axes):
        raise ValueError(f"its axes are {axes}; expected rows Y and columns X")
    if {"S", "C"} <= set(axes):
        raise ValueError(f"its axes {axes} have both samples and channels")
    last = "".join(axis for axis in axes if axis in "SC")
    order = [i for i, axis in enumerate(axes) if axis not in "YXSC"]
    order += [axes.index(axis) for axis in "YX" + last]
    height, width = shape[axes.index("Y")], shape[axes.index("X")]
    bands = shape[axes.index(last)] if last else 1
    whole = (math.prod(shape) // (height * width * bands), height, width, bands)

    def read():
        with tifffile.TiffFile(path) as file:
            array = file.series[0].asarray()
        return array.transpose(order).reshape(whole)

    return Stack(whole, read, dtype, like=like)


# Resolution, its unit, and the tags of GeoTIFF and GDAL.
COPIED_TAGS = (282, 283, 296, 33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)


def _open_numpy(path, name, channels):
    if path.lower().endswith(".npz"):
        with zipfile.ZipFile(path) as file:
            names = [n for n in file.namelist() if n.endswith(".npy")]
            if len(names) != 1:
                raise ValueError(f"expected one array; it holds {', '.join(names) or 'none'}")
            with file.open(names[0]) as member:
                shape, dtype = _numpy_header(member)
    else:
        with open(path, "rb") as file:
            shape, dtype = _numpy_header(file)
    whole = array_shape(shape, channels)

    def read():
        found = np.load(path, allow_pickle=False, mmap_mode=None if path[-1] in "zZ" else "r")
        return (found if isinstance(found, np.ndarray) else found[found.files[0]]).reshape(whole)

    return Stack(whole, read, dtype)


def _numpy_header(file):
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0
    shape, _, dtype = (
        reader(file) if version == (1, 0) else np.lib.format.read_array_header_2_0(file)
    )
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which could run code")
    return shape, dtype


def array_shape(shape, channels):
    """Return `(n, height, width, channels)` of an array of rank 2, 3 or 4; see `open_stack`."""
    if len(shape) == 2:
        return (1, *shape, 1)
    if len(shape) == 3:
        return (1, *shape) if shape[2] in (1, channels) else (*shape, 1)
    if len(shape) == 4:
        return tuple(shape)
    raise ValueError(f"its shape is {tuple(shape)}; expected (n, height, width, channels)")


def _open_hdf5(path, name, channels):
    h5py = needs("h5py", path)
    with h5py.File(path, "r") as file:
        found = {}
        file.visititems(
            lambda key, item: (
                found.update({key: item.shape})
                if isinstance(item, h5py.Dataset) and item.ndim >= 2
                else None
            )
        )
        if name is None and len(found) == 1:
            name = next(iter(found))
        if name not in found:
            raise ValueError(
                f"it holds the data sets {', '.join(found) or '(none)'}: give one as {path}:/NAME"
            )
        if file[name].external or file[name].is_virtual:
            raise ValueError(f"the data set {name} keeps its numbers in other files")
        whole, dtype = array_shape(file[name].shape, channels), file[name].dtype

    def read():
        with h5py.File(path, "r") as file:
            return file[name][()].reshape(whole)

    return Stack(whole, read, dtype, like=name)


def _open_nifti(path, name, channels):
    nibabel = needs("nibabel", path)
    image = nibabel.load(path)
    shape = (*image.shape, 1)[: max(3, image.ndim)]
    width, height = shape[:2]
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    plain = slope == 1 and intercept == 0
    dtype = image.get_data_dtype() if plain else np.dtype("float32")
    whole = (math.prod(shape[2:]), height, width, 1)

    def read():
        array = np.asanyarray(nibabel.load(path).dataobj)
        return array.reshape(width, height, -1).transpose(2, 1, 0)[..., None]

    return Stack(whole, read, dtype, like=(image.affine, image.header.copy(), image.shape))


def _open_meta(path, name, channels):
    sitk = needs("SimpleITK", path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.SetImageIO("MetaImageIO")
    reader.ReadImageInformation()
    width, height, *others = reader.GetSize()
    whole = (math.prod(others), height, width, reader.GetNumberOfComponents())
    dtype = np.dtype(sitk.GetArrayFromImage(sitk.Image([1, 1], reader.GetPixelID())).dtype)

    def read():
        return sitk.GetArrayFromImage(sitk.ReadImage(path, imageIO="MetaImageIO")).reshape(whole)

    return Stack(whole, read, dtype)


def _open_dicom(path, name, channels):
    pydicom = needs("pydicom", path)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if header.get("SamplesPerPixel", 1) != 1:
        raise ValueError("it has colours; expected MONOCHROME1 or MONOCHROME2")
    slope, intercept, inverted = rescale_of(header)
    whole = (int(header.get("NumberOfFrames", 1) or 1), header.Rows, header.Columns, 1)
    whole_numbers = slope == int(slope) and intercept == int(intercept)
    bits = (intercept, intercept + slope * (2**header.BitsStored - 1))
    signed = header.PixelRepresentation or min(bits) < 0
    dtype = np.dtype(("int16" if signed else "uint16") if whole_numbers else "float32")

    def read():
        stored = pydicom.dcmread(path).pixel_array.reshape(whole).astype("float64")
        stored = sum(inverted) - stored if inverted else stored
        return (stored * slope + intercept).astype(dtype)

    unit = "HU" if header.get("Modality") == "CT" else str(header.get("RescaleType", "") or "")
    return Stack(whole, read, dtype, unit, like=path)


def rescale_of(header):
    """Return slope, intercept, and for MONOCHROME1 the ends of the stored values, else None."""
    slope, intercept = (
        float(header.get(name, default) or default)
        for name, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    bits = int(header.BitsStored)
    ends = (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if header.PixelRepresentation
        else (0, 2**bits - 1)
    )
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    return slope, intercept, ends if inverted else None


_OPEN = {
    "TIFF": _open_tiff,
    "NumPy": _open_numpy,
    "HDF5": _open_hdf5,
    "NIfTI": _open_nifti,
    "MetaImage": _open_meta,
    "DICOM": _open_dicom,
}
assert set(_OPEN) == {name for name, kind in KINDS.items() if kind.many}
