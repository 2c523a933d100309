"""A preset that is kept up to date while a model trains."""

import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.steps.distribution import is_chief
from keras_cyclegan.training.history import mean_kid

HEADING = "mean of kid_ab, kid_ba"  # on the card of the best preset


class PresetKeeper(keras.callbacks.Callback):
    """Writes a preset of the model at the end of every epoch, and within long epochs.

    If it can't be written, because the disk is full or weights are not finite, the callback warns,
    and the one before stays.

    Args:
        folder: path of the preset.
        card: function that returns the dict for the model card.
        half_precision: whether to store float16.
        minutes: from one preset to the next within an epoch. None writes at ends of epochs only.
        best: path of a second preset, written when the mean KID of both directions is lower than
            ever before: put `TranslationMetrics`, which measures it, before this callback.
    """

    def __init__(
        self,
        folder: PathLike,
        card: Callable[[], dict[str, Any]] | None = None,
        half_precision: bool = False,
        minutes: float | None = None,
        best: PathLike | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.card = card or dict
        self.half_precision = half_precision
        self.minutes = math.inf if minutes is None else minutes
        self.best = best and Path(best)

    def on_train_begin(self, logs=None):
        self.written_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.written_at >= 60 * self.minutes:
            self.write()

    def on_epoch_end(self, epoch, logs=None):
        self.write()
        mean = mean_kid(logs)
        if self.best is not None and mean < self.lowest():
            self.write(self.best, {HEADING: repr(mean)})

    def lowest(self) -> float:
        """Return the mean KID of `best` as it is on disk, whatever interrupted the run before."""
        try:
            card = json.loads((self.best / "metadata.json").read_text())["card"]
            return float(card[HEADING])
        except (OSError, ValueError, LookupError, TypeError):
            return math.inf

    def write(self, folder: PathLike | None = None, more: dict[str, str] | None = None) -> None:
        """Write the preset now, to its folder or to another, with `more` on its card."""
        folder = folder or self.folder
        if is_chief():
            try:
                card = {**self.card(), **(more or {})}
                self.model.save_to_preset(folder, card=card, half_precision=self.half_precision)
            except (OSError, ValueError) as error:
                warnings.warn(
                    f"The preset {folder} could not be written ({error}). The one before stays.",
                    stacklevel=2,
                )
        self.written_at = time.monotonic()
