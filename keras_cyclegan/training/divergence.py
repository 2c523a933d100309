"""Stop a training that has diverged, and say what to try."""

import math
from typing import Any

import keras


class DivergenceError(RuntimeError):
    """Raised when a loss or a weight is NaN or infinite; it names the last good checkpoint.

    Args:
        finding: what was found, and at which step.
        kept: path of the last good checkpoint, if there is one.
    """

    def __init__(self, finding: str, kept: Any = None) -> None:
        kept = f" The last good checkpoint is {kept}." if kept else ""
        super().__init__(
            f"Training diverged: {finding}{kept} Try a lower learning rate, or gradient clipping "
            "(`global_clipnorm=1` of the optimizers); to go on from the checkpoint, the command "
            "line takes `--learning-rate 1e-4 --clip-norm 1 --adjust`. In a new run, try float32 "
            "or mixed_bfloat16 in place of mixed_float16."
        )


class StopAtDivergence(keras.callbacks.Callback):
    """Ends `fit` with a `DivergenceError` at the step at which a loss is NaN or infinite.

    Keras's `TerminateOnNaN` ends `fit` as if all epochs were done, so that other callbacks save the
    broken weights. A step that loss scaling skips doesn't count. `TrainingState` does the same.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.first = epoch, 1

    def on_train_batch_end(self, batch, logs=None):
        check_losses(logs, f"epoch {self.epoch + 1}, step", self.first, batch + 1)
        self.first = batch + 2


def check_losses(logs, unit, first, last, kept=None):
    """Raise a DivergenceError if a mean became NaN in the steps `first` to `last`."""
    if math.isfinite((logs or {}).get("loss", 0.0)):
        return
    broken = {name: float(value) for name, value in logs.items() if not math.isfinite(value)}
    named = ", ".join(f"{name} is {value}" for name, value in broken.items() if name != "loss")
    steps = f"{unit} {last}" if first == last else f"{unit}s {first} to {last}"
    raise DivergenceError(f"at {steps}, {named or 'their sum is too large'}.", kept and kept())
