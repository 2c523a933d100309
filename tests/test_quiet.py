"""TensorFlow's notes to its developers stay away from commands and from who asks for it."""

import os
import subprocess
import sys

import pytest
from support.examples import EXAMPLES


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
