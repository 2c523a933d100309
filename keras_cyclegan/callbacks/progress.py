"""A progress bar that fits the terminal."""

import shutil
import sys

import keras
from tqdm import tqdm

from keras_cyclegan.trainers.distribution import is_chief

FIGURES = ("loss", "cycle", "discriminator")


class Progress(keras.callbacks.Callback):
    """One line an epoch: steps, time, and the losses that tell most, as means of the epoch so far.

    Keras's own bar writes every loss; at the width of a terminal it breaks, and leaves a new line
    for each step.
    """

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

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix_str(figures(logs), refresh=False)
        self.bar.update(batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()


def figures(logs):
    """`FIGURES` of an epoch's logs, both directions added."""
    totals = dict.fromkeys(FIGURES, 0.0)
    for name, value in (logs or {}).items():
        kind = name.split("_")[0]  # `val_` is none of them
        if kind in totals:
            totals[kind] += float(value)
    return ", ".join(f"{kind} {total:.3f}" for kind, total in totals.items())
