"""Each check of the pickle machine by itself, with the message that only it gives."""

import struct

import pytest
from support.bounds import refused

from keras_cyclegan.files.torch_pickle import MAX_PICKLE, load_pickle

NAME = b"cf\nf\n"  # a function
KIND = b"ctorch\nS\n"  # a name that may not be called
ONE = b"K\1"
INNER = ONE + b"\x85"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def load(pickled, load_storage=lambda *identity: list(identity)):
    functions = {"f.f": lambda *arguments: ("called", *arguments), "torch.S": None}
    return load_pickle(b"\x80\x02" + pickled, functions, load_storage)


@pytest.mark.parametrize(
    ("pickled", "value"),
    [
        (b"N.", None),
        (b"\x88\x89\x86.", (True, False)),
        (b"K\xffM\xff\xffJ\xff\xff\xff\xff\x87.", (255, 65535, -1)),
        (b"\x8a\x02\x00\x80.", -32768),
        (b"G" + struct.pack(">d", 0.1) + b".", 0.1),
        (b"X\2\0\0\0\xc3\xbcU\1aT\1\0\0\0b\x87.", ("ü", "a", "b")),
        (b"(K\1K\2K\3t.", (1, 2, 3)),
        (b").", ()),
        (b"]K\1a(K\2K\3e.", [1, 2, 3]),
        (b"}" + text(b"a") + b"K\1s(" + text(b"b") + b"K\2u.", {"a": 1, "b": 2}),
        (b"K\7q\5r\x01\x02\0\0h\5j\x01\x02\0\0\x87.", (7, 7, 7)),
        (NAME + INNER + b"R.", ("called", 1)),
        (INNER + b"Q.", [1]),
        (b"}}b.", {}),
    ],
)
def test_every_opcode_does_what_it_is_for(pickled, value):
    found, end = load(pickled + b"more")
    assert found == value
    assert end == 2 + len(pickled)


def test_names_are_no_text():
    assert load(KIND + b".")[0] == "torch.S"


DAMAGED = "its pickle is damaged"
REFUSED = {
    "other opcode": (b"(if\nf\n", DAMAGED),
    "an opcode that imports what is on the stack": (
        text(b"os") + text(b"getcwd") + b"\x93.",
        DAMAGED,
    ),
    "an opcode that makes an object": (NAME + b")\x81.", DAMAGED),
    "an opcode of a registry": (b"\x82\1.", DAMAGED),
    "an opcode that duplicates": (b"N2.", DAMAGED),
    "no opcode": (b"\xff", DAMAGED),
    "cut off": (b"X\xff\0\0\0abc", DAMAGED),
    "without an end": (b"N", DAMAGED),
    "nothing to take": (b".", DAMAGED),
    "a mark to take": (b"(.", DAMAGED),
    "a mark in a tuple": (b"(\x85.", DAMAGED),
    "no mark": (b"Nt.", DAMAGED),
    "append to a number": (b"NNa.", DAMAGED),
    "append to a dictionary": (b"}(Ne.", DAMAGED),
    "set in a list": (b"]" + text(b"x") + b"Ns.", "expected text"),
    "name without an end": (b"cf\nf", "it asks for f., which"),
    "long module": (b"c" + b"n" * 10**5 + b"\nf\n.", "it asks for n{99}…, which"),
    "long name": (b"cf\n" + b"n" * 10**5 + b"\n.", "it asks for f.n{97}…, which"),
    "unknown name": (b"cposix\nsystem\n.", "it asks for posix.system, which"),
    "a key without a value": (b"}(" + text(b"x") + b"u.", "shorter"),
    "a number for a key": (b"}K\1Ns.", "a int for a name, expected text"),
    "a tuple for a key": (b"}" + INNER + b"Ns.", "a tuple for a name, expected text"),
    "a class for a key": (b"}" + KIND + b"Ns.", "a Name for a name, expected text"),
    "nothing remembered": (b"q\0.", DAMAGED),
    "nothing recalled": (b"h\0.", DAMAGED),
    "no identity": (b"NQ.", DAMAGED),
    "text called": (text(b"f.f") + b")R.", DAMAGED),
    "a name that is no function": (KIND + b")R.", DAMAGED),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_never_writes_is_refused_by_its_own_check(name):
    pickled, said = REFUSED[name]
    with refused(said):
        load(pickled)


def test_a_state_is_never_set():
    function, _ = load(NAME + b"}" + text(b"x") + b"Nsb.")
    assert not vars(function)


def test_without_storages_there_are_none():
    with refused(r"unexpected storage \(1,\)"):
        load(INNER + b"Q.", load_storage=None)


def test_a_pickle_as_long_as_is_read_says_that_it_may_be_longer():
    with refused("is damaged, or has more than 524288 bytes"):
        load(b"N" + b"q\0" * (MAX_PICKLE // 2))
