"""oneDNN is on where TensorFlow would leave it off, unless the user says otherwise."""

import subprocess
import sys
import warnings

import pytest

from keras_cyclegan import processor

OLD, NEW = {"fpu", "avx2"}, {"fpu", "avx2", "avx512f", "avx512_vnni"}


@pytest.fixture(autouse=True)
def in_time(monkeypatch):
    monkeypatch.setattr(processor, "_came_too_late", False)


@pytest.mark.parametrize(
    ("environment", "extensions", "expected"),
    [
        ({}, OLD, {processor.SWITCH: "1"}),
        ({}, NEW, {}),  # TensorFlow does so by itself
        ({}, {"fpu"}, {}),  # nothing is known of it, or it isn't x86
        ({processor.SWITCH: "0"}, OLD, {processor.SWITCH: "0"}),
    ],
)
def test_onednn_is_switched_on_where_it_is_faster_unless_the_environment_says_otherwise(
    environment, extensions, expected
):
    processor.prefer_onednn(environment, {}, extensions)
    assert environment == expected
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        processor.warn_if_too_late()


def test_tensorflow_imported_earlier_is_warned_of_once():
    environment = {}
    processor.prefer_onednn(environment, {"tensorflow": None}, OLD)
    assert environment == {}
    with pytest.warns(UserWarning, match="Import keras_cyclegan before"):
        processor.warn_if_too_late()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        processor.warn_if_too_late()


def test_extensions_are_read_from_the_first_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: other\n")
    assert processor.vector_extensions(file) == {"fpu", "avx2"}
    assert processor.vector_extensions(tmp_path / "none") == set()


def test_the_import_of_the_package_switches_it_on():
    script = f"""
import builtins, io, os
os.environ.pop({processor.SWITCH!r}, None)
real = open
builtins.open = lambda file, *rest, **more: (
    io.StringIO("flags : fpu avx2\\n") if file == "/proc/cpuinfo" else real(file, *rest, **more)
)
import keras_cyclegan
print(os.environ[{processor.SWITCH!r}])
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert finished.stdout == "1\n", finished.stderr
