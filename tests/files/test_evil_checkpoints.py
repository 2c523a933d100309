"""Checkpoints that torch never writes: refused before they cost time or memory."""

import os
import struct

import numpy as np
import pytest
from support.bounds import refused
from support.evil_checkpoints import PICKLES, overlapping_zip
from support.torch_files import (
    DICTIONARY,
    PARAMETER,
    PROTOCOL,
    STORAGE,
    long,
    named,
    stream,
    tensor,
    write_zip,
)

from keras_cyclegan.files.torch_checkpoint import read_state_dict


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


def test_members_that_overlap_are_refused(path):
    path.write_bytes(overlapping_zip(1, 1000))
    assert read_state_dict(path)["0000"].shape == (1000,)
    path.write_bytes(overlapping_zip(500, 4_000_000))
    with refused("isn't in the file"):
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


def test_a_pipe_or_device_is_refused_before_it_is_waited_for(path):
    os.mkfifo(path)
    with refused(r"evil\.pth: expected a file, but it is a pipe or a device"):
        read_state_dict(path)
    with refused("/dev/zero: expected a file"):
        read_state_dict("/dev/zero")


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_damage_or_other_numbers_and_no_other_error(path, bit):
    """Python's reader of zip archives raises errors of many kinds for a damaged directory."""
    content = write_zip(path, named(tensor()), np.arange(4, dtype="f4").tobytes()).read_bytes()
    refusals = []
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            assert {x.shape for x in read_state_dict(path).values()} <= {(4,), (2, 2)}
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > len(content) / 2
    assert all("can't be read as a PyTorch checkpoint" in refusal for refusal in refusals)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n  <HTML><body>", b"<?xml?>"])
def test_a_page_of_a_failed_download_is_called_one(path, page):
    path.write_bytes(page)
    with refused("it is a web page"):
        read_state_dict(path)
