"""A progress bar that fits the terminal."""

import shutil
import sys

import keras
from tqdm import tqdm

from keras_cyclegan.steps.distribution import is_chief

FIGURES = ("loss", "cycle", "discriminator")


class Progress(keras.callbacks.Callback):
    """Shows one line for each epoch: steps, time, and the means of the three most telling losses.

    Keras's own bar, and tqdm's for Keras, write every loss: their line is wider than a terminal.
    The first step compiles the others: the line says so, and its time isn't counted.

    Example:

    ```python
    model.fit(train, epochs=200, verbose=0, callbacks=[Progress()])
    ```
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
    """Format the `FIGURES` of an epoch's logs, summed over both directions."""
    totals = dict.fromkeys(FIGURES, 0.0)
    for name, value in (logs or {}).items():
        kind = name.split("_")[0]  # "val" for validation logs, which are left out
        if kind in totals:
            totals[kind] += float(value)
    return ", ".join(f"{kind} {total:.3f}" for kind, total in totals.items())
