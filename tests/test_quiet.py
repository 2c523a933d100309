"""TensorFlow's notes to its developers stay away from commands and from who asks for it."""

import contextlib
import os
import subprocess
import sys

import pytest
from support.examples import EXAMPLES

from keras_cyclegan.quiet import without_notes


def test_only_tensorflows_notes_are_removed_from_standard_error(capfd):
    with without_notes():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are\n")
        os.write(2, b"I0000 00:00:1795462818.123149   15524 port.cc:153] oneDNN custom\n")
        os.write(2, b"2026-11-26 02:32:27.921096: I tensorflow/core/util/port.cc:153] oneDNN\n")
        os.write(2, b"E0000 00:00:1795462818.123149   15524 port.cc:153] broken\nTraceback\n")
    assert capfd.readouterr().err == (
        "E0000 00:00:1795462818.123149   15524 port.cc:153] broken\nTraceback\n"
    )
    with contextlib.suppress(KeyError), without_notes():
        os.write(2, b"said before the error\n")
        raise KeyError
    assert capfd.readouterr().err == "said before the error\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "keras_cyclegan", "presets"],
        [str(EXAMPLES / "train_on_folders.py"), "--help"],
    ],
    ids=["command", "example"],
)
def test_a_command_writes_nothing_but_its_answer(arguments):
    environment = {key: v for key, v in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    finished = subprocess.run(
        [sys.executable, *arguments],
        env={**environment, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout
    assert finished.stderr == ""
