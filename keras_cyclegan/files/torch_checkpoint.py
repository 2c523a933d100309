"""Reads the tensors of a PyTorch checkpoint without torch, and without running code from it."""

import math
import os
import zipfile

import numpy as np

from keras_cyclegan.files.torch_pickle import MAX_PICKLE, load_pickle
from keras_cyclegan.files.untrusted import MAX_READ, BoundedReads, brief, check_regular, shown

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_BYTES = 8 * 2**30  # bytes of a file
HEADER = 30  # least number of bytes before each member of a zip archive

STORAGE_DTYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


def read_state_dict(path):
    """Read the tensors of a file that `torch.save(module.state_dict(), path)` wrote.

    Both of torch's formats are read: the zip archive, and the stream that torch wrote before 1.6. A
    pickle in it may hold tensors, dictionaries, lists, text and numbers, as torch writes them;
    everything else is refused. It takes no more memory than about the size of the file.

    Args:
        path: path of the file.

    Returns:
        dict from a tensor's name to a read-only array. Tensors that share memory in the file share
        it here. bfloat16 becomes float32; the other dtypes stay.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is no checkpoint, holds objects other than tensors, or
            asks for any other class or function.
    """
    path = os.fspath(path)
    check_regular(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ValueError(f"it has {size} bytes; {MAX_BYTES} are allowed")
            if zipfile.is_zipfile(file):
                content = _read_zip(file, size)
            else:
                file.seek(0)
                if file.read(100).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
                    raise ValueError("it is a web page: what should be downloaded wasn't")
                file.seek(0)
                content = _read_stream(file, size)
            return _arrays(content, size)
    except FileNotFoundError:
        raise
    # On damaged bytes the readers can raise nearly anything.
    except Exception as error:
        detail = brief(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as a PyTorch checkpoint: {detail}") from error


def _unpickle(data, load_storage=None, position=0):
    """Return the value of torch's pickle in `data`, and the position after it."""
    return load_pickle(data, FUNCTIONS, STORAGE_DTYPES, load_storage, position)


class _Storage:
    """`count` elements of a dtype; `array` is None until `fill` has got the bytes."""

    def __init__(self, dtype, count):
        name = STORAGE_DTYPES[dtype]
        self.dtype = dtype
        self.count = count
        self.is_bfloat16 = name == "bfloat16"
        self.stored = np.dtype("u2" if self.is_bfloat16 else name)
        self.array = None

    @property
    def length(self):
        """The number of its bytes."""
        return self.count * self.stored.itemsize

    def fill(self, raw, byte_order):
        """Set the storage's bytes; `byte_order` is numpy's sign, "<" or ">"."""
        if len(raw) != self.length:
            raise ValueError(
                f"a storage of {self.count} {self.dtype} elements has {len(raw)} bytes"
            )
        array = np.frombuffer(raw, self.stored.newbyteorder(byte_order))
        array = array.astype(self.stored, copy=False)
        if self.is_bfloat16:  # the upper half of a float32
            array = (array.astype("u4") << 16).view("f4")
        self.array = array


class _StorageView:
    """A part of a storage; so torch before 0.4 wrote tensors that share memory."""

    def __init__(self, storage, offset, count):
        if not _are_counts(offset, count) or offset + count > storage.count:
            raise ValueError(
                f"it views {shown(count)} elements from {shown(offset)} on of a storage of "
                f"{storage.count}"
            )
        self.storage = storage
        self.offset = offset
        self.count = count

    @property
    def array(self):
        return self.storage.array[self.offset : self.offset + self.count]


class _Tensor:
    """A view of a storage, with shape and strides in elements; never larger than its storage."""

    def __init__(self, storage, offset, shape, strides, requires_grad=None, hooks=None, bits=None):
        if bits or hooks:
            raise ValueError(f"a tensor has metadata or hooks, {shown(bits or hooks)}")
        if not (
            isinstance(storage, _Storage | _StorageView)
            and isinstance(shape, tuple)
            and isinstance(strides, tuple)
            and len(shape) == len(strides)
            and _are_counts(offset, *shape, *strides)
        ):
            described = shown((shape, strides, offset))
            raise ValueError(f"a tensor has shape, strides and offset {described}")
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self.count = 0 if 0 in shape else math.prod(shape)
        reach = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if self.count and (offset + reach >= storage.count or self.count > storage.count):
            raise ValueError(
                f"a tensor of shape {shown(shape)}, strides {shown(strides)} and offset "
                f"{shown(offset)} reaches beyond its storage of {storage.count} elements"
            )

    def array(self):
        if not self.count:
            return np.empty(self.shape, self.storage.array.dtype)
        elements = self.storage.array
        return np.lib.stride_tricks.as_strided(
            elements[self.offset :],
            self.shape,
            [stride * elements.itemsize for stride in self.strides],
            writeable=False,
        )


def _ordered_dict(pairs=()):
    """Make a dictionary of pairs, which Python 2 wrote as a list of lists."""
    if not isinstance(pairs, tuple | list):
        raise ValueError(f"it makes a dictionary of {shown(pairs)}")
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
            raise ValueError("it makes a dictionary of items that aren't a name and a value")
    return dict(pairs)


def _parameter(tensor, requires_grad, hooks):
    if not isinstance(tensor, _Tensor) or hooks:
        raise ValueError("it makes a parameter of something that isn't a tensor")
    return tensor


FUNCTIONS = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _Tensor,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


class _Storages(dict):
    """Storages by their keys; each is made when a pickle first names it."""

    def named(self, kind, dtype, key, location, count, *view):
        """Return the storage of a persistent id: `("storage", FloatStorage, "0", "cpu", 4)`."""
        known = kind == "storage" and type(key) is str and STORAGE_DTYPES.get(dtype)
        if not known or not _are_counts(count):
            raise ValueError(f"unknown storage {shown((kind, dtype, key, location, count))}")
        storage = self.setdefault(key, _Storage(dtype, count))
        if (storage.dtype, storage.count) != (dtype, count):
            raise ValueError(f"storage {shown(key)} is described in two ways")
        if not view or view[0] is None:
            return storage
        _, offset, view_count = view[0]
        return _StorageView(storage, offset, view_count)


def _read_zip(file, size):
    reads = BoundedReads(file)
    with zipfile.ZipFile(reads) as archive:
        members = _members(archive, size)
        pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("torch.save didn't write this zip archive: it has no data.pkl")
        folder = pickles[0].split("/")[0]

        def stored(name, length):
            if name not in members:
                raise ValueError(f"it has no member {shown(name)}")
            if members[name].file_size > length:
                raise ValueError(f"its member {shown(name)} has more than {length} bytes")
            with archive.open(members[name]) as member:
                return b"".join(iter(lambda: member.read(MAX_READ), b""))

        byte_order = "<"
        if f"{folder}/byteorder" in members:
            byte_order = {b"little": "<", b"big": ">"}[stored(f"{folder}/byteorder", 6)]
        storages = _Storages()
        content, _ = _unpickle(stored(pickles[0], MAX_PICKLE), storages.named)
        for key, storage in storages.items():
            storage.fill(stored(f"{folder}/data/{key}", storage.length), byte_order)
    return content


def _members(archive, size):
    """Return the archive's members by name; refuse compressed and overlapping ones."""
    end = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            name = shown(member.filename)
            raise ValueError(f"its member {name} is compressed, which torch.save never does")
        if member.header_offset < end:
            raise ValueError(f"its member {shown(member.filename)} overlaps another")
        end = member.header_offset + HEADER + member.file_size
    if end > size:
        raise ValueError("its members reach beyond its end")
    return {member.filename: member for member in archive.infolist()}


def _read_stream(file, size):
    head = file.read(MAX_PICKLE)
    number, position = _unpickle(head)
    if number != MAGIC_NUMBER:
        raise ValueError("it does not begin with torch's magic number")
    protocol, position = _unpickle(head, position=position)
    if protocol != PROTOCOL:
        raise ValueError(f"its protocol is {shown(protocol)}, not {PROTOCOL}")
    system, position = _unpickle(head, position=position)
    if type(system) is not dict or type(system.get("little_endian")) is not bool:
        raise ValueError("it doesn't say in which order it has its bytes")
    order = "little" if system["little_endian"] else "big"
    storages = _Storages()
    content, position = _unpickle(head, storages.named, position)
    keys, position = _unpickle(head, position=position)
    if type(keys) is not list:
        raise ValueError(f"the keys of its storages are {shown(keys)}")
    file.seek(position)
    for key in keys:
        if type(key) is not str or key not in storages:
            raise ValueError(f"storage {shown(key)} is no tensor's")
        storage = storages[key]
        if storage.array is not None:
            raise ValueError(f"storage {shown(key)} comes twice")
        count = int.from_bytes(file.read(8), order)
        if count != storage.count:
            raise ValueError(f"storage {shown(key)} has {count} elements, not {storage.count}")
        if storage.length > size - file.tell():
            raise ValueError(f"it ends in the middle of storage {shown(key)}")
        storage.fill(file.read(storage.length), "<" if order == "little" else ">")
    missing = [key for key, storage in storages.items() if storage.array is None]
    if missing:
        raise ValueError(f"it ends before the storages {shown(missing)}")
    return content


def _are_counts(*numbers):
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _arrays(content, size):
    expected = "expected a dict from names to tensors, `module.state_dict()`"
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, {expected}")
    if not content:
        raise ValueError(f"{expected}. It is empty.")
    for name, value in content.items():
        if not isinstance(value, _Tensor):
            raise ValueError(f"{expected}. Received {type(value).__name__} under {shown(name)}.")
    # Many tensors may share a storage, but copies of all of them must fit the memory too.
    if sum(tensor.count for tensor in content.values()) > size:
        raise ValueError(f"its tensors have more elements than it has bytes, {size}")
    return {name: tensor.array() for name, tensor in content.items()}
