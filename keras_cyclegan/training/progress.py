"""A progress bar that fits the terminal."""

import math
import shutil
import sys
import threading
import time
import weakref

import keras
from tqdm import tqdm

from keras_cyclegan.steps.distribution import is_chief

FIGURES = ("loss", "cycle", "discriminator")
SECONDS_A_TICK = 1
# Seconds for compiling a layer's part of the first step: see `benchmarks/train_step.py`. Torch
# compiles nothing.
SECONDS_A_LAYER = {"tensorflow": 0.025, "jax": 0.15}


class Progress(keras.callbacks.Callback):
    """Shows one line for each epoch: steps, time, and the means of the three most telling losses.

    Keras's own bar writes every loss: its line is wider than a terminal, where each step then adds
    a new line. The first step compiles the others: the line says so, and for about how long. Its
    clock runs meanwhile, and the time that is left is estimated without this step.

    Example:

    ```python
    model.fit(train, epochs=200, verbose=0, callbacks=[Progress()])
    ```
    """

    def __init__(self):
        super().__init__()
        self.compiled = False
        self.first_step_ended = None  # an event, while the first step runs

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
        compiles = not self.compiled and not self.model.run_eagerly
        if compiles and (seconds := compile_seconds(self.model)):
            self.bar.set_postfix_str(f"compiling, about {seconds} s")
            self.first_step_ended = threading.Event()
            if sys.stdout.isatty():
                threading.Thread(target=_run_clock, args=[weakref.ref(self)], daemon=True).start()
        self.compiled = True

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix_str(figures(logs), refresh=False)
        if self.first_step_ended is None:
            self.bar.update(batch + 1 - self.bar.n)
        else:
            self._end_first_step(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()

    def _end_first_step(self, steps):
        """Count the first step, without its time in the estimate of what is left."""
        self.first_step_ended.set()
        self.first_step_ended = None
        self.bar.initial = self.bar.n = self.bar.last_print_n = steps
        self.bar.last_print_t = time.time()
        self.bar.refresh()


def _run_clock(progress):
    """Redraw the line each second while the first step runs, or until `progress` is gone."""
    ended, bar = progress().first_step_ended, progress().bar
    while not ended.wait(SECONDS_A_TICK) and progress() is not None:
        bar.refresh()


def compile_seconds(model):
    """Estimate how many seconds longer the first step takes, as 1, 2, 5, 10, 20, …

    Args:
        model: `keras.Model`.

    Returns:
        int: 0 where nothing is compiled.
    """
    seconds = SECONDS_A_LAYER.get(keras.backend.backend(), 0) * _count_layers(model)
    if not seconds:
        return 0
    steps = [factor * 10**power for power in range(4) for factor in (1, 2, 5)]
    return min(steps, key=lambda step: abs(math.log(seconds / step)))


def _count_layers(model):
    inner = getattr(model, "layers", ())
    return sum(_count_layers(layer) for layer in inner) if inner else 1


def figures(logs):
    """Format the `FIGURES` of an epoch's logs, summed over both directions."""
    totals = dict.fromkeys(FIGURES, 0.0)
    for name, value in (logs or {}).items():
        kind = name.split("_")[0]  # "val" for validation logs, which are left out
        if kind in totals:
            totals[kind] += float(value)
    return ", ".join(f"{kind} {total:.3f}" for kind, total in totals.items())
