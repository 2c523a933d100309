"""Scores of fixed images while a model trains, which other callbacks can stop or save by."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_cyclegan.data import from_unit
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generators_of
from keras_cyclegan.scores import KernelInceptionDistance
from keras_cyclegan.scores.score import batches
from keras_cyclegan.training.sample_grid import first_images


class TranslationMetrics(keras.callbacks.Callback):
    """Scores the translations of fixed images, and adds the scores to the logs.

    They are named `"{metric}_ab"` for A → B and `"{metric}_ba"` for B → A. Put this callback before
    those that read them, such as `ModelCheckpoint` and `EarlyStopping`, which need a mode: `"max"`
    for PSNR and SSIM, `"min"` for the others. Epochs without a measurement repeat the last scores;
    the first epoch is always measured.

    Args:
        dataset, count: as in `FailureAlarms`.
        metrics: list of metrics whose `update_state` takes the real and the translated images of
            the target domain; the paired scores need a `b` that is the ground truth of `a`. None
            takes KID, named `"kid"`, on the downloaded Inception of published tables.
        every: epochs from one measurement to the next.
    """

    def __init__(
        self, dataset: Any, metrics: Iterable[Any] | None = None, count: int = 128, every: int = 1
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be at least 1. Received every={every}.")
        metrics = [KernelInceptionDistance(name="kid")] if metrics is None else metrics
        self.metrics: list[Any] = list(metrics)
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"`metrics` must be metrics of different names. Received {names}.")
        self.images_a, self.images_b = first_images(dataset, count)
        self.every = every
        self.last = None

    def on_train_begin(self, logs=None):
        self.last = None
        for _ in self._shown(2):
            pass  # what can't be measured is found now, not after the first epoch

    def on_epoch_end(self, epoch, logs=None):
        if self.last is None or (epoch + 1) % self.every == 0:
            self.last = self.measure()
        if logs is not None:
            logs.update(self.last)

    def measure(self) -> dict[str, float]:
        """Measure the model as it is now, and return the scores, a dict of floats."""
        scores: dict[str, float] = {}
        for direction in self._shown():
            for metric in self.metrics:
                result = metric.result()
                found = result if isinstance(result, dict) else {metric.name: result}
                scores |= {f"{name}_{direction.suffix}": float(x) for name, x in found.items()}
        return scores

    def _shown(self, count=None):
        """Yield each direction, after the metrics have seen its translations."""
        sets = {"a": self.images_a[:count], "b": self.images_b[:count]}
        for direction, generator in generators_of(self.model).items():
            for metric in self.metrics:
                metric.reset_state()
            seen = (batches(sets[domain]) for domain in (direction.source, direction.target))
            for images, real in zip(*seen, strict=True):
                fake = from_unit(runner(generator)(images))  # 8 bits, as users get it
                for metric in self.metrics:
                    metric.update_state(from_unit(real), fake)
            yield direction
