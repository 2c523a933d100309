"""The kinds of files that hold images: the only list of them."""

import os
from pathlib import Path
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of file: suffixes in lower case (the usual one first), and what it can hold.

    `channels` is None for any; `many`: one file can hold many images, such as pages or slices.
    """

    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...] = ("uint8",)
    channels: tuple[int, ...] | None = (1, 3, 4)
    many: bool = False


ALL = ("uint8", "uint16", "int16", "float32")
KINDS = {
    "JPEG": Kind((".jpg", ".jpeg", ".jpe", ".jfif"), channels=(1, 3)),
    "PNG": Kind((".png",), ("uint8", "uint16")),
    "WebP": Kind((".webp",), channels=(3, 4)),
    "BMP": Kind((".bmp",), channels=(1, 3)),
    "HEIF": Kind((".heic", ".heif"), channels=(3,)),
    "TIFF": Kind((".tif", ".tiff"), ALL, None, many=True),
    "NumPy": Kind((".npy", ".npz"), ALL, None, many=True),
    "HDF5": Kind((".h5", ".hdf5"), ALL, None, many=True),
    "NIfTI": Kind((".nii", ".nii.gz"), ALL, (1,), many=True),
    "MetaImage": Kind((".mha", ".mhd"), ALL, None, many=True),
    "DICOM": Kind((".dcm",), ALL[1:], (1,), many=True),
}
_NAMES = {suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes}
SUFFIXES = tuple(_NAMES)

MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Place(NamedTuple):
    """One image of a file that may hold many; `name` is that of a data set in an HDF5 file."""

    path: Path
    name: str | None = None
    index: int = 0  # type: ignore[assignment]

    def __str__(self):
        return f"{self.path}{f':/{self.name}' if self.name else ''}[{self.index}]"


def suffix_of(path):
    """Return a path's known suffix in lower case, or what follows its last dot."""
    name = os.path.basename(path).lower()
    known = [suffix for suffix in SUFFIXES if name.endswith(suffix)]
    return max(known, key=len) if known else os.path.splitext(name)[1]


def kind_of(path):
    """Return the name of a path's kind by its suffix, or None."""
    return _NAMES.get(suffix_of(path))


def holds_many(path):
    """Return whether files of a path's kind can hold many images."""
    return kind_of(path) is not None and KINDS[kind_of(path)].many


def split_name(path):
    """Split `"file.h5:/name"` into the path and the data set's name, which may be None."""
    path, separator, name = os.fspath(path).rpartition(":/")
    if separator and kind_of(path) == "HDF5":
        return Path(path), name
    return Path(path + separator + name), None
