"""The logs of a training run as a file that other programs read."""

import json
import math
import operator
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.steps.distribution import is_chief, largest_of_all


class HistoryFile(keras.callbacks.Callback):
    """Appends one JSON line for each epoch: its number, its logs, the steps so far, the time.

    The time is `seconds` on the clock, and `processor_seconds` of all cores together. An epoch that
    is trained again after an interruption replaces its line. If the disk is full, it warns, and
    writes the line together with the next one.

    Args:
        path: file to write, `history.jsonl` for example.

    Example:

    ```python
    history = HistoryFile("run/history.jsonl")
    model.fit(train, validation_data=validation, epochs=200, callbacks=[history])
    ```
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__()
        self.path = Path(path)
        self.unwritten: list[Any] = []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        if not is_chief():
            return
        line = {
            "epoch": epoch + 1,
            "step": int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)),
            "seconds": round(time.perf_counter() - self.began[0], 3),
            "processor_seconds": round(time.process_time() - self.began[1], 3),
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        self.unwritten.append(line)
        first = self.unwritten[0]["epoch"]
        earlier = [row for row in read_history(self.path) if row["epoch"] < first]
        text = "".join(json.dumps(row) + "\n" for row in [*earlier, *self.unwritten])
        try:
            with atomic_file(self.path) as unfinished:
                unfinished.write_text(text)
            self.unwritten = []
        except OSError as error:
            warnings.warn(f"{self.path} could not be written: {error}", stacklevel=2)


def read_history(path):
    """Read the lines that `HistoryFile` wrote.

    A damaged line, cut off by a power cut for example, is left out with a warning, and the file as
    it was is kept beside it.
    """
    path = Path(path)
    rows, damaged = [], []  # numbers of lines
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = {name: x + 0 for name, x in json.loads(line).items()}  # all are numbers
            rows.append({**row, "epoch": operator.index(row["epoch"])})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            damaged.append(str(number))
    if damaged:
        kept = path.with_name(f"{path.name}.damaged")
        shutil.copyfile(path, kept)
        warnings.warn(
            f"{path}: line {', '.join(damaged)} can't be read and is left out. The file as it was "
            f"is kept as {kept}.",
            stacklevel=2,
        )
    return rows


def mean_of(logs, monitor=("kid_ab", "kid_ba")):
    """Return the mean of the logs that are monitored, or None where one is missing."""
    figures = [(logs or {}).get(name) for name in monitor]
    return None if None in figures else sum(figures) / len(figures)


class EarlyStop(keras.callbacks.Callback):
    """Ends `fit` after `patience` epochs without a lower KID in the file of a `HistoryFile`.

    Keras's `EarlyStopping` forgets what was before an interruption.
    """

    def __init__(self, path, patience=math.inf):
        super().__init__()
        self.path = path
        self.patience = patience

    def epochs(self, wanted):
        """Return the epochs of the whole run: those that it had, if it has ended early."""
        rows = read_history(self.path)
        means = [math.inf if (mean := mean_of(row)) is None else mean for row in rows]
        is_over = means and len(means) > self.patience + means.index(min(means))
        return rows[-1]["epoch"] if is_over else wanted

    def on_epoch_end(self, epoch, logs=None):
        if largest_of_all(self.epochs(0)):
            self.model.stop_training = True
