"""A preset that is kept up to date while a model trains."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.steps.distribution import is_chief

LARGEST_SHARE = 0.05  # of the training time that writing presets within an epoch may take


class PresetKeeper(keras.callbacks.Callback):
    """Writes a preset of the model at the end of every epoch, and within long epochs.

    If it can't be written, because the disk is full or weights are not finite, the callback warns,
    and the one before stays.

    Args:
        folder: path of the preset.
        card: function that returns the dict for the model card. None, the default, for no card.
        half_precision: bool, False by default. Whether to store float16.
        minutes: float. Within an epoch, a preset is written after so many minutes; writing takes a
            twentieth of the time at most. None, the default, writes at the ends of epochs only.
        best: path of a second preset, written when the mean of `monitor` is lower than ever before.
            None, the default, for no such preset.
        monitor: names of logs, `("kid_ab", "kid_ba")` by default. Put `TranslationMetrics`, which
            adds them to the logs, before this callback.
        lowest: float. The lowest mean so far, of a resumed run. None, the default, for none.

    Example:

    ```python
    scores = TranslationMetrics(validation, every=5)
    keeper = PresetKeeper("run/preset", best="run/best")
    model.fit(train, epochs=200, callbacks=[scores, keeper])
    ```
    """

    def __init__(
        self,
        folder: PathLike,
        card: Callable[[], dict[str, Any]] | None = None,
        half_precision: bool = False,
        minutes: float | None = None,
        best: PathLike | None = None,
        monitor: str | tuple[str, ...] = ("kid_ab", "kid_ba"),
        lowest: float | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.card = card
        self.half_precision = half_precision
        self.minutes = minutes
        self.best = best and Path(best)
        self.monitor = tuple(monitor)
        self.lowest = lowest
        self.took = 0.0

    def on_train_begin(self, logs=None):
        self.written_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if self.minutes is None:
            return
        passed = time.monotonic() - self.written_at
        if passed >= max(60 * self.minutes, self.took / LARGEST_SHARE):
            self.write()

    def on_epoch_end(self, epoch, logs=None):
        self.write()
        figures = [(logs or {}).get(name) for name in self.monitor]
        if self.best is None or None in figures:
            return
        mean = sum(figures) / len(figures)
        if self.lowest is None or mean < self.lowest:
            self.lowest = mean
            self.write(self.best)

    def write(self, folder: PathLike | None = None) -> None:
        """Write the preset now, to its folder or to another."""
        if is_chief():
            began = time.monotonic()
            folder = folder or self.folder
            try:
                self.model.save_to_preset(
                    folder,
                    card=None if self.card is None else self.card(),
                    half_precision=self.half_precision,
                )
            except (OSError, ValueError) as error:
                warnings.warn(
                    f"The preset {folder} could not be written ({error}). The one before stays.",
                    stacklevel=2,
                )
            self.took = time.monotonic() - began
        self.written_at = time.monotonic()
