"""oneDNN is on where TensorFlow would leave it off; a dtype that is emulated is refused."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from keras_cyclegan import CycleGAN, processor
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.run import train_run

SHAPE = (16, 16, 3)
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


def test_extensions_are_read_from_the_first_processor(tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: other\n")
    monkeypatch.setattr("builtins.open", lambda path, **_: file.open())
    assert processor.vector_extensions() == {"fpu", "avx2"}
    file.unlink()
    assert processor.vector_extensions() == set()


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


# --- dtypes --------------------------------------------------------------------------------------


@pytest.fixture
def old(monkeypatch):
    """A processor without instructions for half precision."""
    monkeypatch.setattr(processor, "vector_extensions", lambda: OLD)


def generator(dtype="mixed_bfloat16"):
    return ResNetGenerator(SHAPE, filters=4, num_blocks=1, dtype=dtype)


def test_a_dtype_is_emulated_where_the_processor_has_no_instructions_for_it(old, monkeypatch):
    assert "mixed_bfloat16" in processor.emulated_dtype([generator("float32"), generator()])
    assert processor.emulated_dtype([generator("float32")]) is None
    for known in ({*NEW, "avx512_bf16"}, set()):  # an empty set: no x86, of which nothing is known
        monkeypatch.setattr(processor, "vector_extensions", lambda known=known: known)
        assert processor.emulated_dtype([generator()]) is None
    monkeypatch.setattr(processor, "vector_extensions", lambda: NEW)
    assert "mixed_float16" in processor.emulated_dtype([generator("mixed_float16")])
    monkeypatch.setattr(processor, "has_accelerator", lambda: True)
    assert processor.emulated_dtype([generator("mixed_float16")]) is None


def test_a_run_in_an_emulated_dtype_is_refused(old, tmp_path):
    small = {"image_size": 16, "filters": 4, "blocks": 1}
    judge = {"discriminator_filters": 4, "discriminator_layers": 1}
    options = TrainingOptions("glyphs", dtype="mixed_bfloat16", **small, **judge)
    with pytest.raises(ValueError, match=r"emulates mixed_bfloat16.*Use the dtype float32"):
        train_run(tmp_path / "run", options)
    assert not (tmp_path / "run" / "config.json").exists()


def test_fit_in_an_emulated_dtype_warns_and_goes_on(old):
    judges = [PatchDiscriminator(SHAPE, 4, num_layers=1, dtype="mixed_bfloat16") for _ in range(2)]
    model = CycleGAN(generator(), generator(), *judges, image_shape=SHAPE)
    model.compile(run_eagerly=True)
    images = np.zeros((1, *SHAPE), "float32")
    with pytest.warns(UserWarning, match="emulates mixed_bfloat16"):
        model.fit(images, -images, verbose=0)
    assert int(model.optimizer.iterations) == 1


def test_translating_in_an_emulated_dtype_warns_once(old):
    model = CycleGAN(generator(), None, None, None)
    image = np.zeros(SHAPE, "uint8")
    with pytest.warns(UserWarning, match="emulates mixed_bfloat16"):
        model.translate(image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.translate(image)
