"""Logs of a run for other programs, which go on when the run does."""

import csv
import dataclasses
import importlib.util

import pytest
from support.eager import eagerly

from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.run import train_run

TINY = TrainingOptions(
    data="glyphs",
    image_size=32,
    epochs=1,
    steps_per_epoch=1,
    filters=2,
    blocks=0,
    discriminator_filters=2,
    discriminator_layers=1,
)


LOGS = "csv", "tensorboard", "wandb"  # each is what it needs to be installed, too


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with every log that this machine can write, which was stopped and went on."""
    folder = tmp_path_factory.mktemp("run")
    log = ",".join(filter(importlib.util.find_spec, LOGS))
    with pytest.MonkeyPatch.context() as patch, eagerly():
        patch.setenv("WANDB_MODE", "offline")
        train_run(folder, dataclasses.replace(TINY, log=log))
        train_run(folder, dataclasses.replace(TINY, log=log, epochs=2))
    return folder


def test_csv_has_a_line_for_each_epoch(folder):
    with open(folder / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["cycle_a"]) > 0


def test_tensorboard_has_losses(folder):
    pytest.importorskip("tensorboard")
    assert list(folder.glob("log/train/events*"))


def test_weights_and_biases_gets_the_epochs_of_one_run_without_a_network(folder):
    pytest.importorskip("wandb")
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert files  # two, unless both parts of the run began in one second
    assert {path.stem for path in files} == {f"run-{(folder / 'wandb_id').read_text()}"}
    assert all(b"cycle_a" in path.read_bytes() for path in files)


def test_other_logs_are_refused():
    with pytest.raises(ValueError, match=r"`log` must be some of csv,tensorboard,wandb.*'mlflow'"):
        TrainingOptions("glyphs", log="mlflow")
