"""The kinds of files that hold images: the only list of them."""

import os
from pathlib import Path
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        suffixes: tuple of strings, in lower case; the first one is the usual one.
        dtypes: dtypes of pixels that it can hold.
        channels: the counts of channels that it can hold, or None for any.
        many: bool. Whether one file can hold many images: pages, slices, items.
        package: what reads it, beside Pillow and NumPy, or None.
    """

    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...] = ("uint8",)
    channels: tuple[int, ...] | None = (1, 3, 4)
    many: bool = False
    package: str | None = None


ALL = ("uint8", "uint16", "int16", "float32")
KINDS = {
    "JPEG": Kind((".jpg", ".jpeg", ".jpe", ".jfif"), channels=(1, 3)),
    "PNG": Kind((".png",), ("uint8", "uint16")),
    "WebP": Kind((".webp",), channels=(3, 4)),
    "BMP": Kind((".bmp",), channels=(1, 3)),
    "TIFF": Kind((".tif", ".tiff"), ALL, None, True, "tifffile"),
    "NumPy": Kind((".npy", ".npz"), ALL, None, True),
    "HDF5": Kind((".h5", ".hdf5"), ALL, None, True, "h5py"),
    "NIfTI": Kind((".nii", ".nii.gz"), ALL, (1,), True, "nibabel"),
    "MetaImage": Kind((".mha", ".mhd"), ALL, None, True, "SimpleITK"),
    "DICOM": Kind((".dcm",), ALL[1:], (1,), True, "pydicom"),
}
SUFFIXES = tuple(suffix for kind in KINDS.values() for suffix in kind.suffixes)


class Place(NamedTuple):
    """One image of a file that may hold many.

    Attributes:
        path: `pathlib.Path` of the file.
        index: int.
        name: name of the data set in an HDF5 file, or None for its only one.
    """

    path: Path
    index: int = 0  # type: ignore[assignment]
    name: str | None = None

    def __str__(self):
        return f"{self.path}{f':/{self.name}' if self.name else ''}[{self.index}]"


def suffix_of(path):
    """Return a path's known suffix in lower case, or what follows its last dot."""
    name = os.path.basename(path).lower()
    known = [suffix for suffix in SUFFIXES if name.endswith(suffix)]
    return max(known, key=len) if known else os.path.splitext(name)[1]


def kind_of(path):
    """Return the name of a path's kind by its suffix, or None."""
    suffix = suffix_of(path)
    return next((name for name, kind in KINDS.items() if suffix in kind.suffixes), None)


def split_name(path):
    """Split `"file.h5:/name"` into the path and the data set's name, which may be None."""
    path, separator, name = os.fspath(path).rpartition(":/")
    if separator and kind_of(path) == "HDF5":
        return Path(path), name
    return Path(path + separator + name), None
