"""Training that has diverged stops at once and says what to try."""

import math
from typing import Any

import keras


class DivergenceError(RuntimeError):
    """A loss or a weight is NaN or infinite.

    Args:
        finding: str. When, and what.
        kept: function that returns the path of the last good checkpoint, if any.
    """

    def __init__(self, finding: str, kept: Any = None) -> None:
        kept = kept and kept()
        kept = f" The last good checkpoint is {kept}." if kept else ""
        super().__init__(
            f"Training diverged: {finding}{kept} Try a lower learning rate, or gradient clipping "
            "(`global_clipnorm=1` of the optimizers); to go on from the checkpoint, the command "
            "line takes `--learning-rate 1e-4 --clip-norm 1 --adjust`. In a new run, try float32 "
            "or mixed_bfloat16 in place of mixed_float16."
        )


class StopAtDivergence(keras.callbacks.Callback):
    """Raises a `DivergenceError` at the step at which a loss is NaN or infinite.

    Keras's `TerminateOnNaN` ends `fit` as if it were done, and what runs at its end would save the
    broken weights. A step that loss scaling leaves out for its gradients is no divergence.
    `TrainingState` has this built in.

    Example:

    ```python
    model.fit(train, epochs=200, callbacks=[StopAtDivergence()])
    ```
    """

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch
        self.first = 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        check_losses(logs, f"epoch {self.epoch + 1}, step", self.first, batch + 1)
        self.first = batch + 2


def check_losses(logs, unit, first, last, kept=None):
    """Refuse losses that are not finite.

    Args:
        logs: the epoch's means by name, `loss` (the sum of all) among them: one step's NaN or
            infinity stays in them.
        unit: str. What `first` and `last` count.
        first: int. First of the steps that were made since the last check.
        last: int. Last of them.
        kept: function that returns the path of the last good checkpoint, if any.

    Raises:
        DivergenceError: a loss is NaN or infinite.
    """
    if math.isfinite((logs or {}).get("loss", 0.0)):
        return
    broken = {name: float(value) for name, value in logs.items() if not math.isfinite(value)}
    named = ", ".join(f"{name} is {value}" for name, value in broken.items() if name != "loss")
    steps = f"{unit} {last}" if first == last else f"{unit}s {first} to {last}"
    raise DivergenceError(f"at {steps}, {named or 'their sum is too large'}.", kept)
