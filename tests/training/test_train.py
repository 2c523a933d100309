"""`keras-cyclegan train` as a user runs it: from another process, killed, and run again."""

import dataclasses
import json
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image
from support.eager import eagerly
from support.presets_helpers import assert_same_weights
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.callbacks import DivergenceError
from keras_cyclegan.cli import app
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.folder import compare_options, write_options
from keras_cyclegan.training.history import read_history
from keras_cyclegan.training.networks import build_model
from keras_cyclegan.training.optimisation import compile_model
from keras_cyclegan.training.run import train_run

TINY = TrainingOptions(
    data="glyphs",
    image_size=32,
    epochs=3,
    steps_per_epoch=6,
    batch_size=2,
    filters=4,
    blocks=0,
    discriminator_filters=4,
    discriminator_layers=1,
    checkpoint_minutes=0,
)
COMMAND = [
    *(sys.executable, "-m", "keras_cyclegan", "train", "glyphs", "--image-size=32"),
    *("--epochs=3", "--steps-per-epoch=6", "--batch-size=2", "--filters=4", "--blocks=0"),
    *("--discriminator-filters=4", "--discriminator-layers=1", "--checkpoint-minutes=0"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    train_run(folder, TINY)
    return folder


def test_run_folder_explains_itself(finished):
    assert json.loads((finished / "config.json").read_text())["filters"] == 4
    history = read_history(finished / "history.jsonl")
    assert [row["step"] for row in history] == [6, 12, 18]
    assert {"cycle_a", "identity_b", "discriminator_a", "adversarial_ba", "loss"} <= set(history[0])
    grids = sorted(path.name for path in (finished / "samples").iterdir())
    assert grids == ["epoch-0001.png", "epoch-0002.png", "epoch-0003.png"]
    assert np.asarray(Image.open(finished / "samples" / grids[0])).std() > 10
    assert len(list((finished / "checkpoints").iterdir())) == 2
    whole = keras.saving.load_model(finished / "model.keras")
    preset = CycleGAN.from_preset(str(finished / "preset"))
    assert_same_weights(preset.generator_ba, whole.generator_ba)


def test_run_that_can_not_begin_leaves_no_options_behind(tmp_path):
    with pytest.raises(ValueError, match="discriminator_a can't take images"):
        train_run(tmp_path, dataclasses.replace(TINY, discriminator_layers=4))
    with pytest.raises(ValueError, match="weight"):
        train_run(tmp_path, dataclasses.replace(TINY, identity_weight=float("nan")))
    assert not (tmp_path / "config.json").exists()


@pytest.mark.slow
def test_killed_run_ends_as_one_that_never_stopped(finished, tmp_path):
    process = subprocess.Popen([*COMMAND, "--out", tmp_path])
    until = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoints/step-00000000[89].npz")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < until, "the run wrote no checkpoint of its second epoch"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "model.keras").exists()

    subprocess.run([*COMMAND, "--out", tmp_path], check=True)

    whole = keras.saving.load_model(finished / "model.keras")
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    for state in ("variables", "optimizer.variables"):
        pairs = [_attribute(model, state) for model in (whole, resumed)]
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)
    histories = [read_history(folder / "history.jsonl") for folder in (finished, tmp_path)]
    for one, other in zip(*histories, strict=True):
        for row in (one, other):
            row.pop("seconds"), row.pop("processor_seconds")
        assert one == other


def _attribute(model, path):
    for name in path.split("."):
        model = getattr(model, name)
    return model


def test_other_options_are_refused_and_named(finished):
    result = CliRunner().invoke(app, [*COMMAND[3:], "--filters=8", "--out", str(finished)])
    assert result.exit_code == 1
    assert "filters was 4, now 8" in result.output


def test_missing_folder_is_a_clear_error(tmp_path):
    result = CliRunner().invoke(app, ["train", str(tmp_path / "absent"), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "absent" in result.output
    assert not (tmp_path / "config.json").exists()


# --- starting from a preset ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    options = dataclasses.replace(TINY, filters=3, blocks=2, discriminator_filters=5)
    keras.utils.set_random_seed(5)
    build_model(options).save_to_preset(folder)
    return folder


def test_run_starts_from_a_preset_and_records_it(preset, tmp_path):
    options = TrainingOptions(
        data="glyphs",
        image_size=32,
        epochs=1,
        steps_per_epoch=1,
        batch_size=2,
        learning_rate=0.0,
        init=str(preset),
        ema=0.9,
        clip_norm=1.0,
    )
    with eagerly():
        model = train_run(tmp_path, options)
    start = CycleGAN.from_preset(str(preset))
    for name in ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b"):
        assert_same_weights(getattr(model, name), getattr(start, name))  # at a rate of 0
    assert_same_weights(model.average_ab, start.generator_ab)
    assert model.optimizer.generator_optimizer.global_clipnorm == 1.0
    assert json.loads((tmp_path / "config.json").read_text())["init"] == str(preset)


def test_networks_that_the_preset_lacks_are_made_as_the_options_say(tmp_path):
    start = build_model(dataclasses.replace(TINY, filters=3))
    one_way = CycleGAN(start.generator_ab, None, None, None, image_shape=(32, 32, 3))
    one_way.save_to_preset(tmp_path / "one_way")
    model = build_model(dataclasses.replace(TINY, init=str(tmp_path / "one_way")))
    assert_same_weights(model.generator_ab, start.generator_ab)
    assert (model.generator_ab.filters, model.generator_ba.filters) == (3, 4)
    assert model.discriminator_a is not None


@pytest.mark.parametrize(
    "option", [{"filters": 8}, {"blocks": 3}, {"discriminator_layers": 2}, {"generator": "unet"}]
)
def test_options_that_contradict_the_preset_are_refused(preset, tmp_path, option):
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in option.items()]
    result = CliRunner().invoke(
        app,
        ["train", "glyphs", "--image-size=32", f"--init={preset}", *flags, "--out", str(tmp_path)],
    )
    assert result.exit_code == 1
    assert "brings its own" in result.output
    assert flags[0].replace("=", " ") in result.output
    assert not (tmp_path / "config.json").exists()


def test_options_that_say_what_the_preset_is_are_taken(tmp_path):
    """As those of a recipe do for a preset of that recipe."""
    options = dataclasses.replace(TINY, upsampling="resize", padding="zeros")
    build_model(options).save_to_preset(tmp_path / "same")
    options = dataclasses.replace(options, init=str(tmp_path / "same"))
    assert build_model(options).generator_ba.padding == "zeros"
    for other in ({"padding": "reflect", "upsampling": "bilinear"}, {"generator": "unet"}):
        (name, value), *_ = reversed(other.items())
        with pytest.raises(ValueError, match=f"which {name}={value} can't change"):
            build_model(dataclasses.replace(options, **other))


# --- going on otherwise, and ending early --------------------------------------------------------


def test_one_way_alone_is_trained_shown_and_saved(tmp_path):
    changed = {"epochs": 1, "steps_per_epoch": 2, "cycle_weight": 0.0, "nce_weight": 1.0}
    options = dataclasses.replace(TINY, **changed, one_way=True)
    with eagerly():
        train_run(tmp_path, options)
    (row,) = read_history(tmp_path / "history.jsonl")
    assert {"nce_a", "identity_b", "adversarial_ab"} <= row.keys()
    assert not any(name.endswith("_ba") or name.startswith("cycle") for name in row)
    assert Image.open(tmp_path / "samples" / "epoch-0001.png").width == 2 * 36  # A, and its B
    for saved in (
        CycleGAN.from_preset(tmp_path / "preset"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        assert set(saved.networks) == {"generator_ab", "discriminator_b"}
    with pytest.raises(ValueError, match="brings its own generator_ab, which filters=5 can't"):
        build_model(dataclasses.replace(options, filters=5, init=str(tmp_path / "preset")))


def test_one_way_with_a_cycle_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs both generators"):
        train_run(tmp_path, dataclasses.replace(TINY, one_way=True))


def test_learning_rate_of_a_run_changes_only_when_asked_to(tmp_path):
    write_options(tmp_path, TINY)
    changed = dataclasses.replace(TINY, learning_rate=1e-5, checkpoint_minutes=7)
    with pytest.raises(ValueError, match=r"learning_rate was 0.0002, now 1e-05.*--adjust"):
        compare_options(tmp_path, changed)
    assert "now 1e-05" in compare_options(tmp_path, changed, adjust=True)
    with pytest.raises(ValueError, match="filters was 4, now 5"):
        compare_options(tmp_path, dataclasses.replace(changed, filters=5), adjust=True)


def test_sigterm_ends_the_command_with_a_checkpoint_and_status_143(tmp_path):
    command = [*COMMAND, "--out", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("checkpoints/step-*")):
            assert process.poll() is None, "the run ended before it could be stopped"
            time.sleep(0.01)
        process.terminate()
        _, errors = process.communicate()
    assert process.returncode == 143
    newest = max(path.name for path in tmp_path.glob("checkpoints/step-*"))
    assert "Stopped by SIGTERM" in errors
    assert newest in errors


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (DivergenceError("at step 5, loss"), 1)]
)
def test_exit_status_tells_how_a_run_ended(monkeypatch, tmp_path, error, status):
    def end(*_):
        raise error

    monkeypatch.setattr("keras_cyclegan.training.run.train_run", end)
    result = CliRunner().invoke(app, ["train", "glyphs", "--out", str(tmp_path)])
    assert result.exit_code == status
    if status == 1:
        assert "at step 5" in result.output
        assert "--learning-rate" in result.output


@pytest.mark.parametrize(
    ("schedule", "parts"),
    [
        ("constant", [1] * 5),
        ("cosine", [1, 0.85355, 0.5, 0.14645, 0]),
        ("linear", [1, 1, 1, 0.5, 0]),
    ],
)
def test_rates_fall_as_the_schedule_says(schedule, parts):
    model = build_model(TINY)
    compile_model(model, dataclasses.replace(TINY, schedule=schedule))
    model.follow_epochs(model.optimizer, 4, 1, 0)
    for falling in model.optimizer.rate_schedules:
        rates = [float(falling(step)) for step in range(5)]
        assert rates == pytest.approx([2e-4 * part for part in parts], abs=1e-8)


def test_rate_of_a_run_follows_the_schedule_of_fit():
    """Of one epoch the second half falls, as in `fit(epochs=1)`; it once never fell."""
    model = build_model(TINY)
    compile_model(model, TINY)
    optimizer = model.optimizer
    assert len(optimizer.rate_schedules) == 2
    model.follow_epochs(optimizer, 6, 1, 0)
    rates = [float(optimizer.rate_schedules[0](step)) for step in range(7)]
    assert rates == pytest.approx([2e-4 * part for part in (1, 1, 1, 1, 2 / 3, 1 / 3, 0)])
