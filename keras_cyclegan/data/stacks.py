"""Files that hold arrays: TIFF of any depth, NumPy, HDF5, and medical volumes as slices."""

import contextlib
import functools
import locale
import math
import os
import threading
import weakref
import zipfile
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import needs
from keras_cyclegan.data.kinds import kind_of
from keras_cyclegan.data.pixel_limit import MAX_PIXELS, TooManyPixelsError
from keras_cyclegan.files.untrusted import reading

AT_ONCE = 16  # a file that is read as a whole may have so many times the pixels of an image
IN_PARTS = 1024  # and others so many times, where an image counts as 65,536 pixels at least
IMAGE_IO = {"NIfTI": "NiftiImageIO", "MetaImage": "MetaImageIO", "DICOM": "GDCMImageIO"}
COPIED_TAGS = (282, 283, 296, 33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)  # Geo, GDAL
_lock = threading.Lock()


class Stack(NamedTuple):
    """All images of a file, `(n, height, width, channels)`.

    `read` returns the image of an index in the file's dtype, or without `in_parts`, and without an
    index, all of them. `like` is what a file of the same kind needs to be written; see `writers`.
    """

    shape: tuple[int, int, int, int]
    read: Any
    in_parts: bool = True
    like: Any = None


def open_stack(path, name=None, channels=None, max_pixels=MAX_PIXELS):
    """Read the header of a file of arrays, whose suffix says what it is.

    The last axis of a NumPy or HDF5 file of rank 3 is of channels if it has `channels` or 1; else
    the first one counts gray images. `name` is that of an HDF5 file's data set; None: the only one.
    """
    with reading(path, kind_of(path)):
        stack = _OPEN[kind_of(path)](os.fspath(path), name, channels)
    count, height, width, channels = stack.shape
    least, times = (2**16, IN_PARTS) if stack.in_parts else (1, AT_ONCE)
    total = count * max(height * width * channels, least)
    needed = max(height * width, -(-total // times))
    if needed > max_pixels:
        raise TooManyPixelsError(
            f"{path} has {count} images of {height}×{width} pixels, more than `max_pixels` = "
            f"{max_pixels} (and {times} times that in all), which guards against small files that "
            f"fill the memory. If you trust the file, raise it: `max_pixels={needed}`."
        )
    return stack


def read_frame(place, channels=None, max_pixels=MAX_PIXELS):
    """Return the image at a `Place`, `(height, width, channels)`, in the file's dtype."""
    path, name, index = place
    state = os.stat(path)
    key = (os.fspath(path), name, channels, max_pixels, state.st_mtime_ns, state.st_size)
    with _lock:  # the images of a file come one after the other: its header is read once
        stack, whole = _opened(*key)
    with reading(path, kind_of(path)):
        image = stack.read(index) if whole is None else whole[index]
    return image.reshape(stack.shape[1:])


@functools.lru_cache(maxsize=1)
def _opened(path, name, channels, max_pixels, *_):
    stack = open_stack(path, name, channels, max_pixels)
    with reading(path, kind_of(path)):
        return stack, None if stack.in_parts else stack.read()


def _open_tiff(path, name, channels):
    tifffile = needs("tifffile", path)
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(tifffile.TiffFile(path))
        file.filehandle.set_lock(True)  # threads read from it
        series = file.series[0]
        axes, page = series.axes, series.keyframe
        if page.tilewidth * page.tilelength > MAX_PIXELS:
            raise ValueError(f"it has a tile of {page.tilewidth}×{page.tilelength}")
        if not {"X", "Y"} <= set(axes) or {"S", "C"} <= set(axes):
            raise ValueError(f"its axes are {axes}; expected rows Y, columns X, and S or C")
        inner = "YX" + "".join(axis for axis in axes if axis in "SC")
        outer = "".join(axis for axis in axes if axis not in inner)
        counts = [series.shape[axes.index(axis)] for axis in outer]
        size = [series.shape[axes.index(axis)] for axis in inner]
        whole = (math.prod(counts), *size, *[1] * (3 - len(size)))
        in_file = all(each is not None and each.parent is file for each in series.pages)
        paged = in_file and len(series.pages) == whole[0] and set(page.axes) == set(inner)
        tags = (tag for tag in page.tags if tag.code in COPIED_TAGS)
        like = {tag.code: (tag.code, tag.dtype, tag.count, tag.value, True) for tag in tags}

        def arranged(array, given, wanted):
            return array.transpose([given.index(axis) for axis in wanted])

        def read(index=None):
            if index is None:
                return arranged(series.asarray(), axes, outer + inner).reshape(whole)
            if paged:
                with file.filehandle.lock:  # to find it, tifffile moves in the file
                    found = series.pages[index]
                return arranged(found.asarray(), page.axes, inner)
            mapped = arranged(series.asarray(out="memmap"), axes, outer + inner)
            return np.array(mapped[np.unravel_index(index, counts)])

        in_parts = paged or (in_file and bool(series.dataoffset))
        weakref.finalize(read, opened.pop_all().close)
        return Stack(whole, read, in_parts, like)


def _open_numpy(path, name, channels):
    if path.lower().endswith(".npy"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = _array_shape(array.shape, channels)
        return Stack(whole, lambda index: _item(array, index, whole))
    with zipfile.ZipFile(path) as file:  # the header alone, since it may be a small file of zeros
        names = [n for n in file.namelist() if n.endswith(".npy")]
        if len(names) != 1:
            raise ValueError(f"expected one array; it holds {', '.join(names) or 'none'}")
        with file.open(names[0]) as member:
            version, _ = np.lib.format.read_magic(member)
            header = getattr(np.lib.format, f"read_array_header_{version}_0")(member)
    whole = _array_shape(header[0], channels)

    def read():
        with np.load(path, allow_pickle=False) as file:
            return file[names[0].removesuffix(".npy")].reshape(whole)

    return Stack(whole, read, in_parts=False)


def _array_shape(shape, channels):
    """Return `(n, height, width, channels)` of an array of rank 2, 3 or 4; see `open_stack`."""
    if len(shape) == 2:
        return (1, *shape, 1)
    if len(shape) == 3:
        return (1, *shape) if shape[2] in (1, channels) else (*shape, 1)
    if len(shape) == 4:
        return tuple(shape)
    raise ValueError(f"its shape is {tuple(shape)}; expected (n, height, width, channels)")


def _item(array, index, whole):
    """Read one image of an array or a data set that may be a single one."""
    return np.array(array[index] if len(array) == whole[0] else array[()])


def _open_hdf5(path, name, channels):
    h5py = needs("h5py", path)
    with h5py.File(path, "r") as file:
        found = []
        file.visititems(
            lambda key, item: found.append(key) if getattr(item, "ndim", 0) >= 2 else None
        )
        name = found[0] if name is None and len(found) == 1 else name
        if name not in found:
            raise ValueError(
                f"it holds the data sets {', '.join(found) or '(none)'}: give one as {path}:/NAME"
            )
        if file[name].external or file[name].is_virtual:
            raise ValueError(f"the data set {name} keeps its numbers in other files")
        whole = _array_shape(file[name].shape, channels)

    def read(index):
        with h5py.File(path, "r") as file:
            return _item(file[name], index, whole)

    return Stack(whole, read, like=name)


@contextlib.contextmanager
def kept_locale():
    """Keep the process's locale: DICOM's reader sets it to C, in which text files are ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@kept_locale()
def volume_reader(path):
    """Return SimpleITK's reader of a medical volume, with the header read."""
    sitk = needs("SimpleITK", path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(os.fspath(path))
    reader.SetImageIO(IMAGE_IO[kind_of(path)])
    reader.ReadImageInformation()
    return reader


def _open_volume(path, name, channels):
    reader = volume_reader(path)
    width, height, *others = reader.GetSize()
    whole = (math.prod(others), height, width, reader.GetNumberOfComponents())

    @kept_locale()
    def read():
        array = needs("SimpleITK", path).GetArrayFromImage(reader.Execute()).reshape(whole)
        # What a header shifts gets 32 bits, though 16 of them hold it.
        fits = array.dtype == "int32" and array.min() >= -(2**15) and array.max() < 2**15
        return array.astype("int16") if fits else array

    return Stack(whole, read, in_parts=False)


_OPEN = {
    "TIFF": _open_tiff,
    "NumPy": _open_numpy,
    "HDF5": _open_hdf5,
    **dict.fromkeys(IMAGE_IO, _open_volume),
}
