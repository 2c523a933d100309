"""The logs of a training run: in the terminal, in `history.jsonl`, and for other programs."""

import json
import math
import operator
import secrets
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import keras
from tqdm import tqdm

from keras_cyclegan.arguments import PathLike, needs
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.steps.distribution import is_chief, largest_of_all
from keras_cyclegan.training.folder import as_json


class Progress(keras.callbacks.Callback):
    """Shows one line for each epoch: steps, time, and the means of the three most telling losses.

    Keras's own bar, and tqdm's for Keras, write every loss: their line is wider than a terminal.
    """

    compiled = False

    def on_epoch_begin(self, epoch, logs=None):
        self.bar = tqdm(
            desc=f"Epoch {epoch + 1}/{self.params['epochs']}",
            total=self.params["steps"],
            unit="step",
            bar_format="{desc} {bar:10} {n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}",
            ncols=shutil.get_terminal_size((100, 24)).columns - 1,
            mininterval=0.2 if sys.stdout.isatty() else 60,
            file=sys.stdout,
            disable=not is_chief(),
        )
        if not self.compiled:
            self.bar.set_postfix_str("the first step compiles the others")

    def on_train_batch_end(self, batch, logs=None):
        if not self.compiled:
            self.compiled = True
            self.bar.unpause()
        self.bar.set_postfix_str(figures(logs), refresh=False)
        self.bar.update(batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()


def figures(logs):
    """Format the three most telling losses of an epoch's logs, summed over both directions."""
    totals = {"loss": 0.0, "cycle": 0.0, "discriminator": 0.0}
    for name, value in (logs or {}).items():
        kind = name.split("_")[0]  # "val" for validation logs, which are left out
        if kind in totals:
            totals[kind] += float(value)
    return ", ".join(f"{kind} {total:.3f}" for kind, total in totals.items())


class HistoryFile(keras.callbacks.Callback):
    """Appends to the file `path` one JSON line for each epoch: its number, logs, steps and time.

    The time is `seconds` on the clock, and `processor_seconds` of all cores together. An epoch that
    is trained again replaces its line; one that a full disk refuses is written with the next.
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[Any] = read_history(self.path)

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
        self.rows = [*(row for row in self.rows if row["epoch"] <= epoch), line]
        try:
            with atomic_file(self.path) as unfinished:
                unfinished.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        except OSError as error:
            warnings.warn(f"{self.path} could not be written: {error}", stacklevel=2)


def read_history(path):
    """Read the lines that `HistoryFile` wrote; damaged ones are left out with a warning."""
    rows, damaged = [], []  # numbers of lines
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = {name: x + 0 for name, x in json.loads(line).items()}  # all are numbers
            rows.append({**row, "epoch": operator.index(row["epoch"])})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            damaged.append(str(number))
    if damaged:
        lines = ", ".join(damaged)
        warnings.warn(f"{path}: line {lines} can't be read and is left out.", stacklevel=2)
    return rows


def mean_kid(logs):
    """Return the mean KID of a model's directions, infinite where it wasn't measured."""
    measured = [logs[name] for name in ("kid_ab", "kid_ba") if name in (logs or {})]
    return sum(measured) / len(measured) if measured else math.inf


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
        means = [mean_kid(row) for row in rows]
        is_over = means and len(means) > self.patience + means.index(min(means))
        return rows[-1]["epoch"] if is_over else wanted

    def on_epoch_end(self, epoch, logs=None):
        if largest_of_all(self.epochs(0)):
            self.model.stop_training = True


def make_loggers(folder, options):
    """Make the callbacks of `options.log`, which write below the folder of a run."""
    makers = {
        "csv": lambda: keras.callbacks.CSVLogger(folder / "log.csv", append=True),
        "tensorboard": lambda: keras.callbacks.TensorBoard(folder / "log", write_graph=False),
        "wandb": lambda: weights_and_biases(folder, as_json(options)),
    }
    return [makers[name]() for name in options.log.split(",")] if options.log else []


def weights_and_biases(folder, options):
    """Log each epoch to one run of Weights & Biases, which goes on when training does.

    `WANDB_MODE=offline` writes to `folder` only, for `wandb sync`.
    """
    wandb = needs("wandb", "`log=wandb`", "wandb")

    def start(logs):
        place = folder / "wandb_id"
        if not place.exists():
            place.write_text(secrets.token_hex(4))
        run = {"id": place.read_text(), "resume": "allow", "name": folder.resolve().name}
        wandb.init(project="keras_cyclegan", dir=folder, config=options, **run)

    return keras.callbacks.LambdaCallback(
        on_train_begin=start,
        on_epoch_end=lambda epoch, logs: wandb.log(
            {name: float(value) for name, value in (logs or {}).items()}, step=epoch + 1
        ),
        on_train_end=lambda logs: wandb.finish(),
    )
