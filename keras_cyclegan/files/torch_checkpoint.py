"""Reads the tensors of a PyTorch checkpoint without torch, and without running code from it."""

import math
import os
import zipfile
from typing import NamedTuple

import numpy as np

from keras_cyclegan.files.torch_pickle import MAX_PICKLE, Name, load_pickle
from keras_cyclegan.files.untrusted import MAX_READ, BoundedReads, brief, check_regular, shown

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_BYTES = 8 * 2**30  # bytes of a file
STORAGE_DTYPES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


def read_state_dict(path):
    """Read the tensors of a file that `torch.save(module.state_dict(), path)` wrote.

    Both of torch's formats are read: the zip archive, and the stream that torch wrote before 1.6,
    in about the memory of the file's size. Returned are read-only arrays by name. A ValueError says
    that the file is damaged, is no checkpoint, or asks for a class or function.
    """
    path = os.fspath(path)
    check_regular(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ValueError(f"it has {size} bytes; {MAX_BYTES} are allowed")
            content = (_read_zip if zipfile.is_zipfile(file) else _read_stream)(file, size)
            return _arrays(content, size)
    # On damaged bytes the readers can raise nearly anything.
    except Exception as error:
        detail = brief(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as a PyTorch checkpoint: {detail}") from error


class _Storage(NamedTuple):
    array: np.ndarray  # whose bytes come after the pickle


class _Storages(dict):
    """Arrays by the keys of storages; each is made when a pickle first names it."""

    def __init__(self, size):
        super().__init__()
        self.bytes_left = size

    def named(self, kind, dtype, key, location, count, view=None):
        """Return the storage of a persistent id: `("storage", FloatStorage, "0", "cpu", 4)`."""
        is_known = kind == "storage" and type(key) is str and type(dtype) is Name and view is None
        if not is_known or not _are_counts(count):
            raise ValueError(f"unknown storage {shown((kind, dtype, key, location, count, view))}")
        dtype = np.dtype(STORAGE_DTYPES[dtype])
        if key not in self:
            self.bytes_left -= count * dtype.itemsize
            if self.bytes_left < 0:
                raise ValueError(f"storage {shown(key)} of {count} elements isn't in the file")
            self[key] = np.zeros(count, dtype)
        if (self[key].dtype, self[key].size) != (dtype, count):
            raise ValueError(f"storage {shown(key)} is described in two ways")
        return _Storage(self[key])


def _rebuild_tensor(storage, offset, shape, strides, requires_grad=None, hooks=None, bits=None):
    if bits or hooks:
        raise ValueError(f"a tensor has metadata or hooks, {shown(bits or hooks)}")
    if not (
        isinstance(storage, _Storage)
        and type(shape) is type(strides) is tuple
        and len(shape) == len(strides)
        and _are_counts(offset, *shape, *strides)
    ):
        described = shown((shape, strides, offset))
        raise ValueError(f"a tensor has shape, strides and offset {described}")
    array, count = storage.array, math.prod(shape)
    reach = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if not count:
        return np.zeros(shape, array.dtype)
    if offset + reach >= array.size or count > array.size:
        raise ValueError(
            f"a tensor of shape {shown(shape)}, strides {shown(strides)} and offset "
            f"{shown(offset)} reaches beyond its storage of {array.size} elements"
        )
    strides = [stride * array.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(array[offset:], shape, strides)


def _ordered_dict(pairs=()):
    for pair in pairs:  # Python 2 wrote a list of lists
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
            raise ValueError("it makes a dictionary of items that aren't a name and a value")
    return dict(pairs)


def _parameter(tensor, requires_grad, hooks):
    if not isinstance(tensor, np.ndarray) or hooks:
        raise ValueError("it makes a parameter of something that isn't a tensor")
    return tensor


NAMES = {
    **dict.fromkeys(STORAGE_DTYPES),
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def _are_counts(*numbers):
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _read_zip(file, size):
    with zipfile.ZipFile(BoundedReads(file)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("torch.save didn't write this zip archive: it has no data.pkl")
        folder = pickles[0].split("/")[0]

        def member(name, length):
            if name not in members:
                raise ValueError(f"it has no member {shown(name)}")
            if members[name].compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"its member {shown(name)} is compressed")
            if members[name].file_size > length:
                raise ValueError(f"its member {shown(name)} has more than {length} bytes")
            return archive.open(members[name])

        order = f"{folder}/byteorder"
        if order in members and member(order, 6).read() != b"little":
            raise ValueError("its bytes aren't in little-endian order")
        storages = _Storages(size)
        pickled = member(pickles[0], MAX_PICKLE).read(MAX_PICKLE)
        content, _ = load_pickle(pickled, NAMES, storages.named)
        for key, array in storages.items():
            _fill(array, key, member(f"{folder}/data/{key}", array.nbytes))
    return content


def _read_stream(file, size):
    file.seek(0)
    head = file.read(MAX_PICKLE)
    if head[:100].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError("it is a web page: what should be downloaded wasn't")
    number, position = load_pickle(head, NAMES)
    protocol, position = load_pickle(head, NAMES, position=position)
    system, position = load_pickle(head, NAMES, position=position)
    if (number, protocol) != (MAGIC_NUMBER, PROTOCOL) or type(system) is not dict:
        raise ValueError("it does not begin with torch's magic number and protocol")
    if system.get("little_endian") is not True:
        raise ValueError("its bytes aren't in little-endian order")
    storages = _Storages(size)
    content, position = load_pickle(head, NAMES, storages.named, position)
    keys, position = load_pickle(head, NAMES, position=position)
    if type(keys) is not list:
        raise ValueError(f"the keys of its storages are {shown(keys)}")
    file.seek(position)
    for key in keys:
        if type(key) is not str or key not in storages:
            raise ValueError(f"storage {shown(key)} is no tensor's, or comes twice")
        array = storages.pop(key)
        count = int.from_bytes(file.read(8), "little")
        if count != array.size:
            raise ValueError(f"storage {shown(key)} has {count} elements, not {array.size}")
        _fill(array, key, file)
    if storages:
        raise ValueError(f"it ends before the storages {shown([*storages])}")
    return content


def _fill(array, key, file):
    raw = array.view("u1")
    for start in range(0, raw.size, MAX_READ):
        piece = raw[start : start + MAX_READ]
        if file.readinto(piece) != piece.size:
            raise ValueError(f"it ends in the middle of storage {shown(key)}")


def _arrays(content, size):
    expected = "expected a dict from names to tensors, `module.state_dict()`"
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, {expected}")
    if not content:
        raise ValueError(f"{expected}. It is empty.")
    for name, value in content.items():
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{expected}. Received {type(value).__name__} under {shown(name)}.")
    # Many tensors may share a storage, but copies of all of them must fit the memory too.
    if sum(array.size for array in content.values()) > size:
        raise ValueError(f"its tensors have more elements than it has bytes, {size}")
    for array in content.values():
        array.flags.writeable = False
    return content
