"""Reads the tensors of a PyTorch checkpoint without torch, and without running what it says."""

import collections
import io
import os
import pickle
import pickletools
import reprlib
import zipfile

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

STORAGE_DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def read_state_dict(path):
    """The tensors of a file that `torch.save(module.state_dict(), path)` wrote.

    Both of torch's formats are read: the zip archive and the stream of before torch 1.6. A pickle
    in it may build tensors, dictionaries, lists and numbers; everything else is refused.

    Args:
        path: the file.

    Returns:
        dict from a tensor's name to a read-only array. Tensors that share memory in the file share
        it here. bfloat16 becomes float32; the other dtypes stay.

    Raises:
        ValueError: the file is damaged, is no checkpoint, holds objects other than tensors, or
            asks for any other class or function.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if zipfile.is_zipfile(file):
                content = _read_zip(file)
            else:
                file.seek(0)
                content = _read_stream(file)
            return _tensors_only(content)
    except FileNotFoundError:
        raise
    # What an unpickler meets in damaged bytes can raise nearly anything.
    except Exception as error:
        detail = str(error) or type(error).__name__
        raise ValueError(f"{path} can't be read as a PyTorch checkpoint: {detail}") from error


def _unpickle(file, load_storage=None):
    """The next pickle in `file`.

    First it is looked through for what costs memory or time without calling anything: an object
    put at a far index, which makes room for all before it, and tuples of twice the same tuple, over
    and over, whose hash takes for ever. torch writes neither.
    """
    begin, memo, last = file.tell(), {}, None
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name.endswith("PUT") or name == "MEMOIZE":
            index = len(memo) if argument is None else argument
            if index > len(memo) + 1:
                raise ValueError(f"its pickle counts {len(memo)} objects and puts one at {index}")
            memo[index] = last
        elif name == "DUP" or (name.endswith("GET") and "TUPLE" in memo.get(argument, "")):
            raise ValueError("its pickle uses a tuple twice")
        last = name
    file.seek(begin)
    return _RestrictedUnpickler(file, load_storage).load()


class _RestrictedUnpickler(pickle.Unpickler):
    """Builds tensors from storages; no name in the pickle leads out of this file."""

    def __init__(self, file, load_storage):
        super().__init__(file, encoding="utf-8")
        self.load_storage = load_storage

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return _Callable(collections.OrderedDict)
        if module == "torch" and name in STORAGE_DTYPES:
            return name
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _Callable(_Tensor)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _Callable(lambda tensor, *_: tensor)
        raise ValueError(
            f"it asks for {module}.{name}, which a state dict of tensors does not need, and which "
            "is not run. Save `module.state_dict()` with torch.save, and nothing else."
        )

    def persistent_load(self, identity):
        shown = reprlib.repr(identity)
        if self.load_storage is None or not isinstance(identity, tuple) or len(identity) < 5:
            raise ValueError(f"unexpected storage {shown}")
        kind, dtype, key, _, count, *view = identity
        if not all(isinstance(text, str) for text in (kind, dtype, key)) or kind != "storage":
            raise ValueError(f"unknown storage {shown}")
        if dtype not in STORAGE_DTYPES or not _are_counts(count):
            raise ValueError(f"a storage of unknown dtype or size {shown}")
        return self.load_storage(dtype, key, count, *view)


class _Fixed:
    """What a pickle gets hold of; it may not change it."""

    def __setstate__(self, state):
        raise ValueError(f"its pickle changes the state of a {type(self).__name__.strip('_')}")


class _Callable(_Fixed):
    """Stands in a pickle for a class or function, and can be called only."""

    def __init__(self, function):
        self._function = function

    def __call__(self, *arguments):
        return self._function(*arguments)


class _Storage(_Fixed):
    """`count` elements; the array is there once the stream has been read to its end."""

    def __init__(self, dtype, count):
        name = STORAGE_DTYPES[dtype]
        self.dtype = dtype
        self.count = count
        self.is_bfloat16 = name == "bfloat16"
        self.stored = np.dtype("u2" if self.is_bfloat16 else name)
        self.array = None

    @property
    def length(self):
        """Of its bytes."""
        return self.count * self.stored.itemsize

    def fill(self, raw, byte_order):
        """Take the storage's bytes; `byte_order` is numpy's sign for it."""
        if len(raw) != self.length:
            raise ValueError(
                f"a storage of {self.count} {self.dtype} elements has {len(raw)} bytes"
            )
        array = np.frombuffer(raw, self.stored.newbyteorder(byte_order))
        array = array.astype(self.stored, copy=False)
        if self.is_bfloat16:  # the upper half of a float32
            array = (array.astype("u4") << 16).view("f4")
        self.array = array


class _StorageView(_Fixed):
    """A stretch of a storage, as torch before 0.4 wrote tensors that share memory."""

    def __init__(self, storage, offset, count):
        if not _are_counts(offset, count) or offset + count > storage.count:
            raise ValueError(
                f"it views {count!r} elements from {offset!r} on of a storage of {storage.count}"
            )
        self.storage = storage
        self.offset = offset
        self.count = count

    @property
    def array(self):
        return self.storage.array[self.offset : self.offset + self.count]


class _Tensor(_Fixed):
    """A window on a storage: shape and strides in elements."""

    def __init__(self, storage, offset, shape, strides, requires_grad=None, hooks=None, bits=None):
        if bits:
            raise ValueError(f"a tensor is to be read as {reprlib.repr(bits)}")
        if not (
            isinstance(storage, _Storage | _StorageView)
            and isinstance(shape, tuple)
            and isinstance(strides, tuple)
            and len(shape) == len(strides)
            and _are_counts(offset, *shape, *strides)
        ):
            described = reprlib.repr((shape, strides, offset))
            raise ValueError(f"a tensor has shape, strides and offset {described}")
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def array(self):
        elements = self.storage.array
        reach = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and self.offset + reach >= len(elements):
            raise ValueError(
                f"a tensor of shape {self.shape}, strides {self.strides} and offset {self.offset} "
                f"reaches beyond its storage of {len(elements)} elements"
            )
        return np.lib.stride_tricks.as_strided(
            elements[self.offset :],
            self.shape,
            [stride * elements.itemsize for stride in self.strides],
            writeable=False,
        )


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("this zip archive is none that torch.save wrote: no data.pkl")
        folder = pickles[0].split("/")[0]
        byte_order = "<"
        if f"{folder}/byteorder" in archive.namelist():
            byte_order = {b"little": "<", b"big": ">"}[_stored(archive, f"{folder}/byteorder")]
        storages = {}

        def load_storage(dtype, key, count):
            if key not in storages:
                storages[key] = _Storage(dtype, count)
                storages[key].fill(_stored(archive, f"{folder}/data/{key}"), byte_order)
            return _same(storages[key], dtype, key, count)

        pickled = io.BytesIO(_stored(archive, pickles[0]))
        return _arrays(_unpickle(pickled, load_storage))


def _stored(archive, name):
    """A member's bytes. torch never compresses, so no member is larger than the file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its member {name} is compressed, which torch.save never does")
    return archive.read(name)


def _read_stream(file):
    if _unpickle(file) != MAGIC_NUMBER:
        raise ValueError("it does not begin with torch's magic number")
    protocol, system = _unpickle(file), _unpickle(file)
    if protocol != PROTOCOL:
        raise ValueError(f"its protocol is {protocol!r}, not {PROTOCOL}")
    order = "little" if system["little_endian"] else "big"
    storages = {}

    def load_storage(dtype, key, count, view=None):
        storage = _same(storages.setdefault(key, _Storage(dtype, count)), dtype, key, count)
        if view is None:
            return storage
        _, offset, view_count = view
        return _StorageView(storage, offset, view_count)

    content = _unpickle(file, load_storage)
    size = os.fstat(file.fileno()).st_size
    for key in _unpickle(file):
        storage = storages[key]
        count = int.from_bytes(file.read(8), order)
        if count != storage.count or storage.length > size - file.tell():
            raise ValueError(f"storage {key!r} has {count} elements, expected {storage.count}")
        storage.fill(file.read(storage.length), "<" if order == "little" else ">")
    missing = [key for key, storage in storages.items() if storage.array is None]
    if missing:
        raise ValueError(f"it ends before the storages {missing[:5]}")
    return _arrays(content)


def _same(storage, dtype, key, count):
    if (storage.dtype, storage.count) != (dtype, count):
        raise ValueError(f"storage {key!r} is described in two ways")
    return storage


def _are_counts(*numbers):
    return all(type(number) is int and number >= 0 for number in numbers)


def _arrays(content):
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, expected a dict of tensors")
    return {
        name: value.array() if isinstance(value, _Tensor) else value
        for name, value in content.items()
    }


def _tensors_only(content):
    expected = "expected a dict from names to tensors, `module.state_dict()`"
    if not content:
        raise ValueError(f"{expected}. It is empty.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise ValueError(f"{expected}. Received {type(value).__name__} under {name!r}.")
    return content
