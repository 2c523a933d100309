"""oneDNN is on where TensorFlow would leave it off; a dtype that is emulated is refused."""

import subprocess
import sys
import warnings

import keras
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


# --- dtypes, whose factor is given here and not measured ----------------------------------------


@pytest.fixture
def slower(monkeypatch):
    """A processor without instructions for half precision; a function that sets its factor."""
    monkeypatch.setattr(processor, "vector_extensions", lambda: OLD)
    return lambda factor: monkeypatch.setattr(processor, "measured_slowdown", lambda _: factor)


def generator(dtype="mixed_bfloat16"):
    return ResNetGenerator(SHAPE, filters=4, num_blocks=1, dtype=dtype)


def test_float32_an_accelerator_and_a_processor_with_instructions_need_no_trial(monkeypatch):
    monkeypatch.setattr(processor, "measured_slowdown", lambda _: pytest.fail("measured"))
    assert processor.slowdown([generator("float32")]) == 1.0
    monkeypatch.setattr(processor, "vector_extensions", lambda: {*NEW, "avx512_bf16"})
    if keras.backend.backend() == "tensorflow":
        assert processor.slowdown([generator()]) == 1.0
    monkeypatch.setattr(processor, "has_accelerator", lambda: True)
    assert processor.slowdown([generator("mixed_float16")]) == 1.0


def test_training_in_an_emulated_dtype_is_refused_with_its_factor(slower, tmp_path):
    slower(150.0)
    small = {"image_size": 16, "filters": 4, "blocks": 1}
    judge = {"discriminator_filters": 4, "discriminator_layers": 1}
    options = TrainingOptions("glyphs", dtype="mixed_bfloat16", **small, **judge)
    with pytest.raises(ValueError, match=r"mixed_bfloat16 takes 150\.0 times.*`slow_dtype=True`"):
        train_run(tmp_path / "run", options)
    assert not (tmp_path / "run" / "config.json").exists()


def test_training_in_a_slower_dtype_warns_and_goes_on(slower):
    slower(1.3)
    judges = [PatchDiscriminator(SHAPE, 4, num_layers=1, dtype="mixed_bfloat16") for _ in range(2)]
    model = CycleGAN(generator(), generator(), *judges, image_shape=SHAPE)
    model.compile(run_eagerly=True)
    images = np.zeros((1, *SHAPE), "float32")
    with pytest.warns(UserWarning, match=r"takes 1\.3 times as long"):
        model.fit(images, -images, verbose=0)
    assert int(model.optimizer.iterations) == 1


def test_translating_in_a_slower_dtype_warns_once(slower):
    slower(12.0)
    model = CycleGAN(generator(), None, None, None)
    image = np.zeros(SHAPE, "uint8")
    with pytest.warns(UserWarning, match=r"takes 12\.0 times as long"):
        model.translate(image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.translate(image)


def test_a_faster_dtype_passes_in_silence(slower):
    slower(0.6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        processor.warn_of_slow_dtype([generator()])
        processor.refuse_slow_dtype([generator()], "")


@pytest.mark.backend
def test_a_trial_leaves_the_random_state_alone():
    keras.utils.set_random_seed(0)
    expected = keras.random.uniform((3,)), np.random.uniform()
    keras.utils.set_random_seed(0)
    assert processor.measured_slowdown("bfloat16") > 0
    np.testing.assert_array_equal(keras.random.uniform((3,)), expected[0])
    assert np.random.uniform() == expected[1]
