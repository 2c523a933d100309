"""`keras-cyclegan train` as a user runs it: from another process, killed, and run again."""

import json
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan.callbacks.history import read_history
from keras_cyclegan.cli import app
from keras_cyclegan.training_run import TrainingOptions, train_run

TINY = TrainingOptions(
    data="glyphs",
    image_size=32,
    epochs=3,
    steps_per_epoch=6,
    batch_size=2,
    filters=4,
    blocks=1,
    discriminator_filters=4,
    discriminator_layers=1,
    checkpoint_minutes=0,
)
COMMAND = [
    *(sys.executable, "-m", "keras_cyclegan.cli", "train", "glyphs", "--image-size=32"),
    *("--epochs=3", "--steps-per-epoch=6", "--batch-size=2", "--filters=4", "--blocks=1"),
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


def test_killed_run_ends_as_one_that_never_stopped(finished, tmp_path):
    process = subprocess.Popen([*COMMAND, "--out", tmp_path])
    until = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoints/step-00000000[89].weights.h5")):
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
        one.pop("seconds"), other.pop("seconds")
        assert one == other


def _attribute(model, path):
    for name in path.split("."):
        model = getattr(model, name)
    return model


def test_damaged_newest_checkpoint_gives_way_to_the_one_before(finished, tmp_path):
    from keras_cyclegan.callbacks import TrainingState
    from keras_cyclegan.training_run import build_model, compile_model

    shutil.copytree(finished / "checkpoints", tmp_path, dirs_exist_ok=True)
    (step_before, before), (_, newest) = TrainingState(tmp_path, None).checkpoints()
    newest.write_bytes(newest.read_bytes()[:1000])
    model = build_model(TINY)
    compile_model(model, TINY, 6)
    state = TrainingState(tmp_path, None)
    state.set_model(model)
    with pytest.warns(UserWarning, match="can't be read"):
        assert state.restore() == before
    assert state.step == step_before


def test_other_options_are_refused_and_named(finished):
    result = CliRunner().invoke(app, [*COMMAND[3:], "--filters=8", "--out", str(finished)])
    assert result.exit_code == 1
    assert "filters was 4, now 8" in result.output


def test_missing_folder_is_a_clear_error(tmp_path):
    result = CliRunner().invoke(app, ["train", str(tmp_path / "absent"), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "absent" in result.output
    assert not (tmp_path / "config.json").exists()
