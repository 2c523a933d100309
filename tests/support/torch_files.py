"""Checkpoints as torch writes them, byte by byte: what evil files vary."""

import math
import struct
import zipfile

PROTOCOL = b"\x80\x02"
STORAGE = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\4tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
PARAMETER = b"ctorch._utils\n_rebuild_parameter\n"
DICTIONARY = b"ccollections\nOrderedDict\n"


def tensor(shape=b"K\4\x85", strides=b"K\1\x85", offset=b"K\0", storage=STORAGE):
    hooks = DICTIONARY + b")R"
    return REBUILD + b"(" + storage + offset + shape + strides + b"\x89" + hooks + b"tR"


def named(value, name=b"x"):
    """A state dict with one entry, pickled."""
    return PROTOCOL + b"}X" + struct.pack("<I", len(name)) + name + value + b"s."


def write_zip(path, pickled, raw=bytes(16), **more):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/data/0", raw)
        for name, value in more.items():
            archive.writestr(f"x/{name}", value)
    return path


def long(value):
    raw = value.to_bytes(10, "little", signed=True)
    return b"\x8a\x0a" + raw


MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
PROTOCOL_1001 = PROTOCOL + b"M\xe9\x03."

SYSTEM = PROTOCOL + b"}X\x0d\0\0\0little_endian\x88s."


def stream(content, protocol=PROTOCOL_1001, system=SYSTEM):
    return MAGIC + protocol + system + content


def state_dict(shapes):
    """The pickle of a state dict of float32 tensors with these shapes, and their storages.

    Returns:
        `(pickled, storages)`: bytes, and a list of bytes by the keys "0", "1", …
    """
    entries, storages = [], []
    for i, (name, shape) in enumerate(shapes.items()):
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        key = str(i).encode()
        storage = STORAGE.replace(b"X\1\0\0\x000", b"X" + struct.pack("<I", len(key)) + key)
        storage = storage.replace(b"K\4tQ", b"J" + struct.pack("<i", math.prod(shape)) + b"tQ")
        value = tensor(_sizes(shape), _sizes(strides), storage=storage)
        text = name.encode()
        entries.append(b"X" + struct.pack("<I", len(text)) + text + value)
        storages.append(bytes(range(1, 5)) * math.prod(shape))
    return PROTOCOL + b"}(" + b"".join(entries) + b"u.", storages


def _sizes(numbers):
    return b"(" + b"".join(b"J" + struct.pack("<i", number) for number in numbers) + b"t"


def keys_of_stream(storages):
    """What follows the pickle in a stream: the storages' keys, then their sizes and bytes."""
    keys = b"".join(
        b"X" + struct.pack("<I", len(str(i))) + str(i).encode() for i in range(len(storages))
    )
    raw = b"".join(struct.pack("<Q", len(storage) // 4) + storage for storage in storages)
    return PROTOCOL + b"](" + keys + b"e." + raw
