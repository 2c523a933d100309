"""Reads the tensors of a PyTorch checkpoint without torch, and without running what it says."""

import collections
import io
import os
import pickle
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


class _RestrictedUnpickler(pickle.Unpickler):
    """Builds tensors from `storages`; no name in the pickle leads out of this file."""

    def __init__(self, file, load_storage=None):
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
        if self.load_storage is None or not isinstance(identity, tuple):
            raise ValueError(f"unexpected storage {identity!r}")
        kind, dtype, key, _, count, *view = identity
        if kind != "storage" or dtype not in STORAGE_DTYPES:
            raise ValueError(f"unknown storage {identity!r}")
        if not isinstance(count, int) or count < 0:
            raise ValueError(f"storage {key!r} has {count!r} elements")
        return self.load_storage(dtype, key, count, *view)


class _Callable:
    """What a pickle gets in place of a class or function: it can be called, not changed."""

    __slots__ = ("_function",)

    def __init__(self, function):
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments):
        return self._function(*arguments)

    def __setattr__(self, name, value):
        raise ValueError(f"it sets {name!r} on a function")


class _Storage:
    """`count` elements; the array is there once the stream has been read to its end."""

    def __init__(self, dtype, count):
        self.dtype = dtype
        self.count = count
        self.array = None

    def fill(self, raw, byte_order):
        """Take the storage's bytes; `byte_order` is numpy's sign for it."""
        name = STORAGE_DTYPES[self.dtype]
        stored = np.dtype("u2" if name == "bfloat16" else name)
        if len(raw) != self.count * stored.itemsize:
            raise ValueError(
                f"a storage of {self.count} {self.dtype} elements has {len(raw)} bytes"
            )
        array = np.frombuffer(raw, stored.newbyteorder(byte_order))
        array = array.astype(stored, copy=False)
        if name == "bfloat16":  # the upper half of a float32
            array = (array.astype("u4") << 16).view("f4")
        self.array = array


class _StorageView:
    """A stretch of a storage, as torch before 0.4 wrote tensors that share memory."""

    def __init__(self, storage, offset, count):
        self.storage = storage
        self.offset = offset
        self.count = count

    @property
    def array(self):
        return self.storage.array[self.offset : self.offset + self.count]


class _Tensor:
    """A window on a storage: shape and strides in elements."""

    def __init__(self, storage, offset, shape, strides, *_):
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(f"a tensor has shape {shape}, strides {strides}, offset {offset}")
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def __setstate__(self, state):
        raise ValueError("it sets the state of a tensor")

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
        return _arrays(_RestrictedUnpickler(pickled, load_storage).load())


def _stored(archive, name):
    """A member's bytes. torch never compresses, so no member is larger than the file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its member {name} is compressed, which torch.save never does")
    return archive.read(name)


def _read_stream(file):
    def load(load_storage=None):
        return _RestrictedUnpickler(file, load_storage).load()

    if load() != MAGIC_NUMBER:
        raise ValueError("it does not begin with torch's magic number")
    protocol, system = load(), load()
    if protocol != PROTOCOL:
        raise ValueError(f"its protocol is {protocol!r}, not {PROTOCOL}")
    byte_order = "<" if system["little_endian"] else ">"
    storages = {}

    def load_storage(dtype, key, count, view=None):
        storage = _same(storages.setdefault(key, _Storage(dtype, count)), dtype, key, count)
        if view is None:
            return storage
        _, offset, view_count = view
        return _StorageView(storage, offset, view_count)

    content = load(load_storage)
    size = os.fstat(file.fileno()).st_size
    for key in load():
        storage = storages[key]
        count = int.from_bytes(file.read(8), "little" if byte_order == "<" else "big")
        name = STORAGE_DTYPES[storage.dtype]
        length = count * np.dtype("u2" if name == "bfloat16" else name).itemsize
        if count != storage.count or length > size - file.tell():
            raise ValueError(f"storage {key!r} has {count} elements, expected {storage.count}")
        storage.fill(file.read(length), byte_order)
    missing = [key for key, storage in storages.items() if storage.array is None]
    if missing:
        raise ValueError(f"it ends before the storages {missing[:5]}")
    return _arrays(content)


def _same(storage, dtype, key, count):
    if (storage.dtype, storage.count) != (dtype, count):
        raise ValueError(f"storage {key!r} is described in two ways")
    return storage


def _arrays(content):
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, expected a dict of tensors")
    return {
        name: value.array() if isinstance(value, _Tensor) else value
        for name, value in content.items()
    }


def _tensors_only(content):
    others = {name: value for name, value in content.items() if not isinstance(value, np.ndarray)}
    if others or not content:
        name, value = next(iter(others.items()), ("", None))
        raise ValueError(
            "expected a dict from names to tensors, `module.state_dict()`. "
            + (f"Received {type(value).__name__} under {name!r}." if others else "It is empty.")
        )
    return content
