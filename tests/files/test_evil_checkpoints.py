"""Checkpoints that torch never writes: refused before they cost time or memory."""

import struct
import zlib

import numpy as np
import pytest
from support.bounds import refused
from support.torch_files import (
    DICTIONARY,
    PARAMETER,
    PROTOCOL,
    REBUILD,
    STORAGE,
    long,
    named,
    stream,
    tensor,
    write_zip,
)

from keras_cyclegan.files.torch_checkpoint import read_state_dict

SHARED = b"".join(b"q%ch%ch%c\x86" % (i, i, i) for i in range(1, 46))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evil.pth"


def test_the_forms_that_evil_files_vary_are_read(path):
    raw = np.arange(4, dtype="f4").tobytes()
    np.testing.assert_array_equal(
        read_state_dict(write_zip(path, named(tensor()), raw))["x"], range(4)
    )
    parameter = PARAMETER + b"(" + tensor() + b"\x88" + DICTIONARY + b")RtR"
    found = read_state_dict(write_zip(path, named(parameter), raw))
    np.testing.assert_array_equal(found["x"], range(4))
    assert not found["x"].flags.writeable


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


@pytest.mark.parametrize("pickled", PICKLES.values(), ids=PICKLES)
@pytest.mark.parametrize("form", ["zip", "stream"])
def test_a_pickle_that_torch_never_writes_is_refused(path, pickled, form):
    if form == "zip":
        write_zip(path, pickled)
    else:
        path.write_bytes(
            stream(pickled) + PROTOCOL + b"]X\1\0\0\x000a." + struct.pack("<Q", 4) + bytes(16)
        )
    with refused(r"evil\.pth can't be read as a PyTorch checkpoint: "):
        read_state_dict(path)


def test_the_stream_that_evil_files_vary_is_read(path):
    keys = PROTOCOL + b"]X\1\0\0\x000a."
    raw = np.arange(4, dtype="f4").tobytes()
    path.write_bytes(stream(named(tensor())) + keys + struct.pack("<Q", 4) + raw)
    np.testing.assert_array_equal(read_state_dict(path)["x"], range(4))


@pytest.mark.parametrize("what", ["protocol", "system"])
def test_a_message_is_short_whatever_it_refuses(path, what):
    lists = PICKLES["shared lists"]
    path.write_bytes(stream(named(tensor()), **{what: lists}))
    with refused():
        read_state_dict(path)


def test_keys_of_storages_that_repeat_are_refused(path):
    keys = PROTOCOL + b"](" + b"X\1\0\0\x000" * 50_000 + b"e."
    path.write_bytes(stream(named(tensor())) + keys + (struct.pack("<Q", 4) + bytes(16)) * 9)
    with refused("piles up"):
        read_state_dict(path)
    keys = PROTOCOL + b"](" + b"X\1\0\0\x000" * 9 + b"e."
    path.write_bytes(stream(named(tensor())) + keys + (struct.pack("<Q", 4) + bytes(16)) * 9)
    with refused("comes twice"):
        read_state_dict(path)


def test_tensors_that_share_a_storage_have_no_more_elements_than_the_file_has_bytes(path):
    count = 10**5
    one = tensor(
        shape=long(count) + b"\x85", storage=STORAGE.replace(b"K\4tQ", long(count) + b"tQ")
    )
    entries = b"".join(b"X\4\0\0\0%04d" % i + one for i in range(99))
    pickled = PROTOCOL + b"}(" + entries + b"u."
    with refused("more elements"):
        read_state_dict(write_zip(path, pickled, bytes(4 * count)))


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


def test_members_that_overlap_are_refused(path):
    path.write_bytes(overlapping_zip(1, 1000))
    assert read_state_dict(path)["0000"].shape == (1000,)
    path.write_bytes(overlapping_zip(500, 4_000_000))
    with refused("overlaps another"):
        read_state_dict(path)


def test_an_endless_directory_is_refused_unread(path):
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
        + b"x"
    )
    directory = entry * 200_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9, 9, len(directory), 0, 0)
    path.write_bytes(directory + end)
    with refused("more than the 1048576 bytes"):
        read_state_dict(path)


def test_a_member_larger_than_its_storage_is_refused_unread(path):
    with refused("more than 16 bytes"):
        read_state_dict(write_zip(path, named(tensor()), bytes(10**6)))
    with refused("more than 6 bytes"):
        read_state_dict(write_zip(path, named(tensor()), byteorder=bytes(10**6)))


def test_a_file_of_holes_is_refused(path):
    path.write_bytes(stream(named(tensor())))
    with open(path, "r+b") as file:
        file.truncate(2**40)
    with refused("are allowed"):
        read_state_dict(path)
