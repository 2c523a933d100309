"""Each check of the checkpoint reader by itself, with the message that only it gives."""

import struct
import zipfile
import zlib

import numpy as np
import pytest
from support.bounds import refused
from support.torch_files import (
    DICTIONARY,
    MAGIC,
    PARAMETER,
    PROTOCOL,
    PROTOCOL_1001,
    REBUILD,
    STORAGE,
    SYSTEM,
    keys_of_stream,
    long,
    named,
    state_dict,
    stream,
    tensor,
    write_zip,
)

from keras_cyclegan.files.torch_checkpoint import read_state_dict

MINUS_ONE = b"J\xff\xff\xff\xff"
HOOKS = DICTIONARY + b")R"
SOME = b"}X\1\0\0\0aK\1s"  # a dictionary that isn't empty
KEYS, NO_KEYS = keys_of_stream([bytes(16)]), keys_of_stream([])


def viewed(offset, count):
    view = b"X\4\0\0\0view" + offset + count + b"\x87"
    return tensor(shape=b"K\1\x85", storage=STORAGE.replace(b"K\4tQ", b"K\4" + view + b"tQ"))


def parts(*more, hooks=HOOKS):
    """A tensor with what may follow its hooks."""
    return REBUILD + b"(" + STORAGE + b"K\0K\4\x85K\1\x85\x89" + hooks + b"".join(more) + b"tR"


def pairs(*items):
    """An ordered dictionary of a list of pairs, and the tensor that they belong to, as hooks."""
    return DICTIONARY + b"](" + b"".join(items) + b"e\x85R"


def pair(*items):
    return b"](" + b"".join(items) + b"e"


def two(first, second):
    return PROTOCOL + b"}(X\1\0\0\0a" + first + b"X\1\0\0\0b" + second + b"u."


TEXT = b"X\1\0\0\0a"
WINDOW = "a tensor has shape, strides and offset"
NO_PAIRS = "a dictionary of items that aren't a name and a value"
NO_TENSOR = "a parameter of something that isn't a tensor"
BEYOND = "reaches beyond its storage of 4 elements"
PICKLES = {
    "view": (named(viewed(b"K\1", b"K\2")), "unknown storage"),
    "negated": (named(parts(SOME)), r"has metadata or hooks, \{'a': 1\}"),
    "hooks": (named(parts(hooks=SOME)), r"has metadata or hooks, \{'a': 1\}"),
    "number for a storage": (named(tensor(storage=b"K\4")), WINDOW),
    "list for a shape": (named(tensor(shape=b"]K\4a")), WINDOW),
    "list for strides": (named(tensor(strides=b"]K\1a")), WINDOW),
    "more strides than sides": (named(tensor(strides=b"K\1K\1\x86")), WINDOW),
    "fewer strides than sides": (named(tensor(strides=b")")), WINDOW),
    "negative side": (named(tensor(shape=MINUS_ONE + b"\x85")), WINDOW),
    "negative stride": (named(tensor(shape=b"K\1\x85", strides=MINUS_ONE + b"\x85")), WINDOW),
    "negative offset": (named(tensor(shape=b"K\1\x85", offset=MINUS_ONE)), WINDOW),
    "true for a side": (named(tensor(shape=b"\x88\x85")), WINDOW),
    "huge stride": (named(tensor(shape=b"K\1\x85", strides=long(2**63) + b"\x85")), WINDOW),
    "one too far": (named(tensor(offset=b"K\1")), BEYOND),
    "wide strides": (named(tensor(shape=b"K\2\x85", strides=b"K\4\x85")), BEYOND),
    "no strides": (named(tensor(shape=b"K\5\x85", strides=b"K\0\x85")), BEYOND),
    "dictionary of a number": (
        named(parts(hooks=DICTIONARY + b"K\1\x85R")),
        "its pickle is damaged",
    ),
    "dictionary of tuples": (
        named(parts(hooks=pairs(TEXT + b"N\x86"))),
        NO_PAIRS,
    ),
    "dictionary of threes": (
        named(parts(hooks=pairs(pair(TEXT, b"N", b"N")))),
        NO_PAIRS,
    ),
    "dictionary of numbers": (
        named(parts(hooks=pairs(pair(b"K\1", b"N")))),
        NO_PAIRS,
    ),
    "parameter of a number": (
        named(PARAMETER + b"(K\1\x88" + HOOKS + b"tR"),
        NO_TENSOR,
    ),
    "parameter with hooks": (
        named(PARAMETER + b"(" + tensor() + b"\x88" + SOME + b"tR"),
        NO_TENSOR,
    ),
    "no storage": (
        named(tensor(storage=STORAGE.replace(b"storage", b"garbage"))),
        "unknown storage .'garbage'",
    ),
    "number for a key": (
        named(tensor(storage=STORAGE.replace(b"X\1\0\0\x000", b"K\0"))),
        "unknown storage",
    ),
    "class for a storage": (
        named(tensor(storage=STORAGE.replace(b"ctorch\nFloatStorage\n", DICTIONARY))),
        "unknown storage",
    ),
    "less than nothing stored": (
        named(tensor(storage=STORAGE.replace(b"K\4tQ", MINUS_ONE + b"tQ"))),
        "unknown storage",
    ),
    "two counts": (
        two(tensor(), tensor(shape=b"K\1\x85", storage=STORAGE.replace(b"K\4tQ", b"K\5tQ"))),
        "storage '0' is described in two ways",
    ),
    "two dtypes": (
        two(tensor(), tensor(storage=STORAGE.replace(b"Float", b"Int"))),
        "storage '0' is described in two ways",
    ),
    "no tensors": (named(b"K\1"), "Received int under 'x'"),
    "nothing": (PROTOCOL + b"}.", "It is empty"),
    "a list": (PROTOCOL + b"].", "it holds a list, expected a dict"),
    "long": (PROTOCOL + b"}" + b"q\0" * 2**19 + b".", "more than 524288 bytes"),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.pth"


@pytest.mark.parametrize("form", ["zip", "stream"])
@pytest.mark.parametrize("name", PICKLES)
def test_what_torch_never_writes_is_refused_by_its_own_check(path, name, form):
    pickled, said = PICKLES[name]
    if form == "zip":
        write_zip(path, pickled)
    else:
        path.write_bytes(stream(pickled) + (KEYS if STORAGE[:11] in pickled else NO_KEYS))
    with refused(said):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PROTOCOL + b"K\1." + PROTOCOL_1001 + SYSTEM, "does not begin with torch's magic number"),
        (
            stream(named(tensor()), protocol=PROTOCOL + b"M\xea\x03.") + KEYS,
            "magic number and protocol",
        ),
        (stream(named(tensor())) + PROTOCOL + b"].", r"before the storages \['0'\]"),
        (stream(named(tensor())) + KEYS[:-1], "ends in the middle of storage '0'"),
        (stream(named(tensor())) + keys_of_stream([bytes(20)]), "has 5 elements, not 4"),
        (stream(named(tensor())) + keys_of_stream([bytes(16)] * 2), "storage '1' is no tensor's"),
        (stream(named(tensor())) + PROTOCOL + b"]K\0a.", "storage 0 is no tensor's"),
        (stream(named(tensor())) + PROTOCOL + b"]]a.", r"storage \[\] is no tensor's"),
        (stream(named(tensor())) + PROTOCOL + b"}.", "the keys of its storages are {}"),
        (MAGIC + PROTOCOL_1001 + PROTOCOL + b"}.", "little-endian order"),
        (MAGIC + PROTOCOL_1001 + PROTOCOL + b"].", "does not begin with"),
    ],
)
def test_a_stream_that_is_none_is_refused_by_its_own_check(path, content, said):
    path.write_bytes(content)
    with refused(said):
        read_state_dict(path)


def test_a_storage_of_another_length_is_refused(path):
    with refused("ends in the middle of storage '0'"):
        read_state_dict(write_zip(path, named(tensor()), bytes(12)))


def test_an_archive_that_lacks_a_part_or_has_it_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", named(tensor()))
    with refused("it has no member 'x/data/0'"):
        read_state_dict(path)
    write_zip(path, named(tensor()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y/data.pkl", named(tensor()))
    with refused(r"no data\.pkl"):
        read_state_dict(path)


def test_a_compressed_member_is_refused_whatever_its_size(path):
    """This one is as long compressed as it is not."""
    random = np.random.default_rng(0)
    for n in range(10_000):
        raw = bytes(n % 40) + random.bytes(60)
        compressor = zlib.compressobj(wbits=-15)
        if len(compressor.compress(raw) + compressor.flush()) == len(raw):
            break
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", named(tensor()))
        archive.writestr("x/data/0", raw, zipfile.ZIP_DEFLATED)
        member = archive.getinfo("x/data/0")
    assert member.compress_size == member.file_size
    with refused("'x/data/0' is compressed"):
        read_state_dict(path)


@pytest.mark.parametrize("sizes", [(16, 17), (2**20, 2**20)])
def test_a_directory_that_lies_about_sizes_is_refused(path, sizes):
    content = bytearray(write_zip(path, named(tensor())).read_bytes())
    entry = content.rindex(b"PK\1\2")
    content[entry + 20 : entry + 28] = struct.pack("<II", *sizes)
    path.write_bytes(content)
    with refused("'x/data/0' has more than 16 bytes"):
        read_state_dict(path)


@pytest.mark.parametrize("form", ["zip", "stream"])
def test_a_storage_of_megabytes_is_read_whole(path, form):
    pickled, (raw,) = state_dict({"x": (3, 500, 500)})
    if form == "zip":
        write_zip(path, pickled, raw)
    else:
        path.write_bytes(stream(pickled) + keys_of_stream([raw]))
    assert read_state_dict(path)["x"].tobytes() == raw
