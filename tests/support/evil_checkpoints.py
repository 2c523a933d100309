"""Checkpoints that torch never writes: bytes that cost their reader time, memory or more."""

import struct
import zlib

from support.torch_files import (
    DICTIONARY,
    PARAMETER,
    PROTOCOL,
    REBUILD,
    STORAGE,
    long,
    named,
    tensor,
)

SHARED = b"".join(b"q%ch%ch%c\x86" % (i, i, i) for i in range(1, 46))
PICKLES = {
    "deep tuple as a key": b"}K\x01" + b"\x85" * 10**6 + b"K\x00s.",
    "deep tuple as a value": named(b"K\x01" + b"\x85" * 10**6),
    "shared tuples": PROTOCOL + b"}K\x01\x85" + SHARED + b"K\x00s.",
    "shared tuples behind a pop": b"}K\x01\x85"
    + b"".join(b"\x85N0q%ch%ch%c\x86" % (i, i, i) for i in range(45))
    + b"K\x00s.",
    "shared tuples through a parameter": PROTOCOL
    + b"}"
    + PARAMETER
    + b"K\x01\x85\x88)\x87R"
    + b"K\x00s.",
    "frozenset as a key": PROTOCOL + b"}(K\x01\x91K\x00s.",
    "shared lists": PROTOCOL
    + b"]q\x00"
    + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(45))
    + b".",
    "a list within itself": PROTOCOL + b"]q\x00h\x00a.",
    "a dictionary within itself": PROTOCOL + b"}q\x00X\1\0\0\0xh\x00s.",
    "long number": named(b"\x8b" + struct.pack("<i", 10**7) + bytes(10**7)),
    "long shape": named(tensor(shape=b"\x8b" + struct.pack("<i", 9 * 10**5) + bytes(9 * 10**5))),
    "number of 255 bytes": named(tensor(shape=b"\x8a\xff" + bytes([1]) * 255 + b"\x85")),
    "zero strides": named(tensor(shape=long(2**30) + b"\x85", strides=b"K\0\x85")),
    "more elements than the storage": named(tensor(shape=b"K\5\x85", strides=b"K\0\x85")),
    "huge shape": named(tensor(shape=long(2**70) + b"\x85")),
    "huge stride": named(tensor(shape=b"K\1\x85", strides=long(2**62) + b"\x85")),
    "huge empty shape": named(tensor(shape=b"K\0" + long(2**62) + b"\x86", strides=b"K\1K\1\x86")),
    "many dimensions": named(
        tensor(shape=b"(" + b"K\1" * 10**5 + b"t", strides=b"(" + b"K\1" * 10**5 + b"t")
    ),
    "huge storage": named(tensor(storage=STORAGE.replace(b"K\4tQ", long(2**40) + b"tQ"))),
    "tall stack": PROTOCOL + b"N" * 10**6 + b".",
    "tall stack of dictionaries": PROTOCOL + b"}" * 10**6 + b".",
    "many marks": PROTOCOL + b"(" * 10**6 + b".",
    "much remembered": PROTOCOL
    + b"}"
    + b"".join(b"r" + struct.pack("<I", i) for i in range(2 * 10**5))
    + b".",
    "far index": PROTOCOL + b"}r\xff\xff\xff\x0f.",
    "far index in text": b"}p268435455\n.",
    "twice": PROTOCOL + b"}K\x01\x85" + b"2\x86" * 20 + b"K\x01s.",
    "long pickle": PROTOCOL + b"}" + b"q\0" * 2**20 + b".",
    "long name": named(tensor(shape=b"K\x09\x85"), name=b"n" * 10**6),
    "long class": PROTOCOL + b"c" + b"n" * 10**6 + b"\nx\n.",
    "text without end": PROTOCOL + b"X\xff\xff\xff\xffabc",
    "a mark for a value": PROTOCOL + b"(q\0h\0.",
    "a function for a value": PROTOCOL + REBUILD + b".",
    "a function called with a function": PROTOCOL + REBUILD + REBUILD + b"R.",
    "text called": PROTOCOL + b"X\x1e\0\0\0torch._utils._rebuild_tensor_v2)R.",
    "a storage called": PROTOCOL + b"ctorch\nFloatStorage\n)R.",
    "a dictionary of itself": PROTOCOL + DICTIONARY + b"]q\0h\0ah\0\x85R.",
    "other protocol": b"\x80\x05}.",
}


def overlapping_zip(count, size):
    """Members each of which holds all that come after it."""
    names = ["x/data.pkl", *(f"x/data/{i}" for i in range(count))]
    blob = bytes(size)
    offsets, members = [], []
    for name in reversed(names[1:]):
        members.append((name, len(blob), zlib.crc32(blob)))
        blob = local_header(*members[-1]) + blob
        offsets.append(len(blob))
    offsets = [len(blob) - offset for offset in offsets]
    entries = b"".join(
        b"X\4\0\0\0%04d" % i
        + tensor(
            shape=long(length) + b"\x85",
            storage=STORAGE.replace(b"FloatStorage", b"ByteStorage")
            .replace(b"X\1\0\0\x000", b"X" + struct.pack("<I", len(str(i))) + str(i).encode())
            .replace(b"K\4tQ", long(length) + b"tQ"),
        )
        for i, (_, length, _) in enumerate(reversed(members))
    )
    pickled = PROTOCOL + b"}(" + entries + b"u."
    members.append((names[0], len(pickled), zlib.crc32(pickled)))
    offsets.append(len(blob))
    blob += local_header(*members[-1]) + pickled
    directory = b"".join(
        struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, crc, n, n, len(name), 0, 0, 0, 0, 0, at
        )
        + name.encode()
        for (name, n, crc), at in zip(members, offsets, strict=True)
    )
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(blob), 0
    )
    return blob + directory + end


def local_header(name, size, crc):
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, size, size, len(name), 0)
    return header + name.encode()
