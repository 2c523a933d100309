"""Logs of a run for other programs, which go on when the run does."""

import csv
import dataclasses

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


def trained_twice(folder, log):
    with eagerly():
        train_run(folder, dataclasses.replace(TINY, log=log))
        train_run(folder, dataclasses.replace(TINY, log=log, epochs=2))


def test_csv_has_a_line_for_each_epoch(tmp_path):
    trained_twice(tmp_path, "csv")
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["cycle_a"]) > 0


def test_tensorboard_has_losses_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    trained_twice(tmp_path, "tensorboard")
    assert list(tmp_path.glob("log/train/events*"))
    assert any(b"samples" in path.read_bytes() for path in tmp_path.glob("log/samples/events*"))


def test_weights_and_biases_gets_the_epochs_of_one_run_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    trained_twice(tmp_path, "wandb,csv")
    files = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    assert {path.stem for path in files} == {f"run-{(tmp_path / 'wandb_id').read_text()}"}
    assert all(b"cycle_a" in path.read_bytes() for path in files)
    assert (tmp_path / "log.csv").exists()


def test_other_logs_are_refused():
    with pytest.raises(ValueError, match=r"`log` must be some of csv,tensorboard,wandb.*'mlflow'"):
        TrainingOptions("glyphs", log="mlflow")
