"""A dtype that the processor emulates is refused, one that is slower is warned of: by its factor.

The seconds are given here, and not measured.
"""

import warnings

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.commands.options import TrainingOptions
from keras_cyclegan.commands.train import train_run
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.steps import dtype_trial

SHAPE = (16, 16, 3)


@pytest.fixture
def trial(monkeypatch):
    """Set the seconds of a convolution by kind; tells which trials were made."""
    made, seconds = [], {}

    def measure(kind, dtypes, training, side, channels):
        made.append((kind, dtypes, training, side))
        return tuple(seconds[kind] if dtype != "float32" else 1.0 for dtype in dtypes)

    monkeypatch.setattr(dtype_trial, "measure", measure)
    dtype_trial._trial.cache_clear()
    yield seconds, made
    dtype_trial._trial.cache_clear()


def generator(block="standard", dtype="mixed_bfloat16"):
    return ResNetGenerator(SHAPE, filters=4, num_blocks=2, block=block, dtype=dtype)


def model(**kwargs):
    networks = [generator(**kwargs) for _ in range(2)]
    judges = [PatchDiscriminator(SHAPE, 4, num_layers=1, dtype="mixed_bfloat16") for _ in range(2)]
    made = CycleGAN(*networks, *judges, image_shape=SHAPE)
    made.compile(run_eagerly=True)
    return made


def test_kinds_count_as_often_as_the_networks_have_them(trial):
    seconds, made = trial
    seconds |= {"standard": 0.5, "depthwise": 4.0}
    # Stem, two halvings, two doublings, head, and four 1×1; four depthwise.
    assert dtype_trial.slowdown([generator("separable")], True) == (10 * 0.5 + 4 * 4.0) / 14
    assert dtype_trial.slowdown([generator()], True) == 0.5
    assert {kind for kind, *_ in made} == {"standard", "depthwise"}


def test_float32_needs_no_trial(trial):
    assert dtype_trial.slowdown([generator(dtype="float32")], True) == 1.0
    assert not trial[1]


def test_emulation_is_seen_on_the_smallest_convolution_and_no_other_is_tried(trial):
    seconds, made = trial
    seconds["standard"] = 150.0
    assert dtype_trial.slowdown([generator()], True) == 150.0
    assert [side for *_, side in made] == [dtype_trial.SIZES[0][0]]


def test_training_in_an_emulated_dtype_is_refused_with_its_factor(trial, tmp_path):
    trial[0]["standard"] = 150.0
    options = TrainingOptions(
        "glyphs",
        image_size=16,
        filters=4,
        blocks=1,
        discriminator_filters=4,
        discriminator_layers=1,
        dtype="mixed_bfloat16",
    )
    with pytest.raises(ValueError, match=r"mixed_bfloat16 takes 150\.0 times.*`slow_dtype=True`"):
        train_run(tmp_path / "run", options)
    assert not (tmp_path / "run" / "config.json").exists()


def test_training_in_a_slower_dtype_warns_and_goes_on(trial):
    trial[0]["standard"] = 1.3
    images = np.zeros((1, *SHAPE), "float32")
    made = model()
    with pytest.warns(UserWarning, match=r"takes 1\.3 times as long"):
        made.fit(images, -images, verbose=0)
    assert int(made.optimizer.iterations) == 1


def test_translating_in_a_slower_dtype_warns_once_without_gradients(trial):
    seconds, made = trial
    seconds["standard"] = 12.0
    translator = CycleGAN(generator(), None, None, None)
    image = np.zeros(SHAPE, "uint8")
    with pytest.warns(UserWarning, match=r"takes 12\.0 times as long"):
        translator.translate(image)
    assert {training for _, _, training, _ in made} == {False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        translator.translate(image)


def test_a_faster_dtype_passes_in_silence(trial):
    trial[0]["standard"] = 0.6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dtype_trial.warn_of_slow_dtype([generator()])
        dtype_trial.refuse_slow_dtype([generator()], "")


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["standard", "depthwise"])
def test_a_trial_runs_and_leaves_the_random_state_alone(kind):
    keras.utils.set_random_seed(0)
    expected = keras.random.uniform((3,)), np.random.uniform()
    keras.utils.set_random_seed(0)
    seconds = dtype_trial.measure(kind, ("float32", "float64"), True, 4, 2)
    assert len(seconds) == 2
    assert min(seconds) > 0
    np.testing.assert_array_equal(keras.random.uniform((3,)), expected[0])
    assert np.random.uniform() == expected[1]
