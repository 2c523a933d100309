"""A training run's figures as a file that other programs read."""

import json
import time
from pathlib import Path

import keras

from keras_cyclegan.whole import whole_file


class HistoryFile(keras.callbacks.Callback):
    """Appends one JSON line an epoch: the epoch, its logs, the steps so far, the seconds it took.

    An epoch that is trained again after an interruption replaces its line.

    Args:
        path: file to write, `history.jsonl` for example.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        line = {
            "epoch": epoch + 1,
            "step": int(self.model.optimizer.iterations),
            "seconds": round(time.perf_counter() - self.began, 3),
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        earlier = [row for row in read_history(self.path) if row["epoch"] <= epoch]
        text = "".join(json.dumps(row) + "\n" for row in [*earlier, line])
        with whole_file(self.path) as unfinished:
            unfinished.write_text(text)


def read_history(path):
    """The lines that `HistoryFile` wrote, as dicts; none where there is no file."""
    path = Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]
