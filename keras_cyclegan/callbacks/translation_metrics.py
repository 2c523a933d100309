"""Scores of fixed images while a model trains, for callbacks that stop or save by a score."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_cyclegan.arguments import Direction
from keras_cyclegan.callbacks.sample_grid import first_images
from keras_cyclegan.data import from_unit
from keras_cyclegan.inference.translate import run
from keras_cyclegan.metrics import KernelInceptionDistance
from keras_cyclegan.metrics.features import FeatureDistance

BATCH = 16


class TranslationMetrics(keras.callbacks.Callback):
    """Scores the translations of fixed images, and puts the scores into the logs.

    Under `"{metric}_ab"` for A → B and `"{metric}_ba"` for B → A, in the logs that
    `ModelCheckpoint(monitor="kid_ab", mode="min")`, `EarlyStopping`, `TensorBoard` and
    `HistoryFile` read: put it before them. Keras wants to be told the mode: `"max"` for PSNR and
    SSIM, `"min"` for the others. Between two measurements the logs repeat the last one, so that
    `patience` counts epochs; the first epoch is always measured.

    Args:
        dataset: batches `(a, b)` of which the first images are taken: validation data, best.
        metrics: metrics whose `update_state` takes real and translated images of the domain
            translated to: `KernelInceptionDistance` and `FrechetInceptionDistance` for any images,
            those of paired scores where `b` is the ground truth of `a`. Left out: KID, named
            `"kid"`, on the Inception of published tables, which is downloaded.
        count: int. Images of each domain.
        every: int. Epochs between two measurements.

    Example:

    ```python
    scores = TranslationMetrics(validation, [StructuralSimilarity()], every=5)
    best = keras.callbacks.ModelCheckpoint("best.keras", "ssim_ab", mode="max", save_best_only=True)
    model.fit(train, epochs=200, callbacks=[scores, best])
    ```
    """

    def __init__(
        self, dataset: Any, metrics: Iterable[Any] | None = None, count: int = 128, every: int = 1
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be at least 1. Received every={every}.")
        self.metrics: list[Any] = (
            [KernelInceptionDistance(name="kid")] if metrics is None else list(metrics)
        )
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"`metrics` must be metrics of different names. Received {names}.")
        self.images_a, self.images_b = first_images(dataset, count)
        fewest = min(len(self.images_a), len(self.images_b))
        if fewest < 2 and any(isinstance(metric, FeatureDistance) for metric in self.metrics):
            raise ValueError(
                "A distance between two sets needs at least two images of each domain. Received "
                f"{fewest}, with count={count}."
            )
        self.every = every
        self.last = None

    def on_train_begin(self, logs=None):
        self.last = None
        # Weights that can't be downloaded and images that don't fit are found now, not when an
        # epoch is done.
        for _, generator, images, real in self._ways():
            self._update(generator, images[:2], real[:2])

    def on_epoch_end(self, epoch, logs=None):
        if self.last is None or (epoch + 1) % self.every == 0:
            self.last = self.measure()
        if logs is not None:
            logs.update(self.last)

    def measure(self) -> dict[str, float]:
        """Returns the scores of the model as it is now, a dict of floats."""
        scores: dict[str, float] = {}
        for way, generator, images, real in self._ways():
            self._update(generator, images, real)
            for metric in self.metrics:
                scores |= _named(metric, way)
        return scores

    def _ways(self):
        generator_ab, generator_ba = self.model.generators()
        yield Direction.A_TO_B, generator_ab, self.images_a, self.images_b
        yield Direction.B_TO_A, generator_ba, self.images_b, self.images_a

    def _update(self, generator, images, real):
        for metric in self.metrics:
            metric.reset_state()
        for start in range(0, len(images), BATCH):
            batch = slice(start, start + BATCH)
            fake = from_unit(run(generator, images[batch]))  # as a user gets it: 8 bits
            for metric in self.metrics:
                metric.update_state(from_unit(real[batch]), fake)


def _named(metric, way):
    result = metric.result()
    if isinstance(result, dict):
        return {f"{name}_{way.suffix}": float(value) for name, value in result.items()}
    return {f"{metric.name}_{way.suffix}": float(result)}
