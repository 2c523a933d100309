"""What a training run shows in the terminal."""

import io
import re
import sys
import time

import keras
import pytest

from keras_cyclegan.training import progress as progress_module
from keras_cyclegan.training.progress import Progress, compile_seconds, figures


def test_progress_is_one_line_an_epoch_that_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress()
    progress.set_params({"epochs": 2, "steps": 6})
    progress.compiled = True
    logs = {"loss": 31.25, "cycle_a": 10.5, "cycle_b": 9.0, "identity_a": 8.0, "val_loss": 1.0}
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for batch in (1, 3, 5):  # two steps an execution
            progress.on_train_batch_end(batch, logs)
        progress.on_epoch_end(epoch, logs)
    written = capsys.readouterr().out
    assert written.count("\n") == 2
    last = [line.split("\r")[-1] for line in written.split("\n")]
    assert last[1].startswith("Epoch 2/2 ")
    assert "6/6" in last[1]
    assert "loss 31.250, cycle 19.500" in last[1]
    assert all(len(shown.rstrip()) <= 80 for shown in written.replace("\n", "\r").split("\r"))


def test_the_first_step_is_told_to_compile(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "compile_seconds", lambda model: 20)
    progress = Progress()
    progress.set_model(keras.Sequential())
    progress.model.compile()
    progress.set_params({"epochs": 2, "steps": 1})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        shown = capsys.readouterr().out
        assert ("compiling, about 20 s" in shown) == (epoch == 0)
        progress.on_train_batch_end(0, {"loss": 1.0})
        progress.on_epoch_end(epoch)
        assert "compiling" not in capsys.readouterr().out.split("\r")[-1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def compiling(monkeypatch):
    """A `Progress` in its first step, and the terminal that it writes to."""
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(progress_module, "compile_seconds", lambda model: 1)
    progress = Progress()
    progress.set_model(keras.Sequential())
    progress.model.compile()
    progress.set_params({"epochs": 1, "steps": 100})
    progress.on_epoch_begin(0)
    return progress, sys.stdout


def test_the_clock_runs_while_the_first_step_compiles(compiling, monkeypatch):
    progress, terminal = compiling
    time.sleep(2.1)
    assert "0/100 00:01<?, compiling" in terminal.getvalue()
    progress.on_train_batch_end(0, {"loss": 1.0})
    written = len(terminal.getvalue())
    time.sleep(1.1)
    assert len(terminal.getvalue()) == written  # it has stopped


def test_the_time_left_leaves_the_first_step_out(compiling):
    progress, terminal = compiling
    time.sleep(1)  # a second a step would be 99 for the others
    for batch in range(10):
        progress.on_train_batch_end(batch, {"loss": 1.0})
        time.sleep(0.025)
    shown = terminal.getvalue().split("\r")
    assert "1/100 00:01<?" in next(line for line in shown if " 1/100" in line)
    minutes, seconds = re.search(r"<(\d+):(\d+)", shown[-1]).groups()
    assert int(minutes) * 60 + int(seconds) < 20


def test_the_estimate_grows_with_the_layers_of_all_networks(monkeypatch):
    backend = keras.backend.backend()
    monkeypatch.setitem(progress_module.SECONDS_A_LAYER, backend, 1.0)

    def network():
        return keras.Sequential([keras.layers.Dense(1), keras.layers.ReLU()])

    assert compile_seconds(network()) == 2
    assert compile_seconds(keras.Sequential([network() for _ in range(5)])) == 10
    monkeypatch.delitem(progress_module.SECONDS_A_LAYER, backend)
    assert compile_seconds(network()) == 0


def test_figures_add_both_directions_and_leave_validation_out():
    logs = {"loss": 3.0, "discriminator_a": 0.5, "discriminator_b": 0.25, "val_cycle_a": 9.0}
    assert figures(logs) == "loss 3.000, cycle 0.000, discriminator 0.750"
