"""Scores of an image beside another one: ground truth, reconstruction, or what was translated."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.losses.similarity import structural_similarity
from keras_cyclegan.scores.images import as_floats
from keras_cyclegan.scores.score import Measured, Score, mean_score


class PairedScore(keras.metrics.Mean):
    """Mean over images of a score of two images each, whatever the batch size; runs compiled."""

    default_name = "paired_score"

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or self.default_name, **kwargs)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> Any:
        y_true, y_pred = as_floats(y_true), as_floats(y_pred)
        sides = zip(y_true.shape, y_pred.shape, strict=False)  # a compiled step doesn't know all
        fits = all(a == b or None in (a, b) for a, b in sides)
        if not (fits and len(y_true.shape) == len(y_pred.shape) == 4):
            raise ValueError(
                f"{type(self).__name__} compares images of one shape, `(batch, height, width, "
                f"channels)`. Received {tuple(y_true.shape)} and {tuple(y_pred.shape)}."
            )
        return super().update_state(self.per_image(y_true, y_pred), sample_weight=sample_weight)

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute the score of each image, `(batch,)`; both arguments are in [-1, 1]."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class MeanAbsoluteError(PairedScore):
    """Mean absolute difference of all pixels and channels, on the scale of [-1, 1], from 0 to 2.

    Matches the numbers of `keras.metrics.MeanAbsoluteError`. Ground truth and translations are
    `(batch, height, width, channels)`, each uint8 or floats in [-1, 1].
    """

    default_name = "mean_absolute_error"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ops.mean(ops.abs(y_true - y_pred), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class PeakSignalToNoiseRatio(PairedScore):
    """Peak signal-to-noise ratio in decibels, the mean over images (PSNR).

    Called like `MeanAbsoluteError`. Matches the numbers of
    `skimage.metrics.peak_signal_noise_ratio` on each image, with `data_range` 255 for uint8 and 2
    for floats in [-1, 1]. Infinite as soon as one image equals its ground truth.
    """

    default_name = "psnr"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        return 10.0 * ops.log10(2.0**2 / error)  # the range is from -1 to 1


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class StructuralSimilarity(PairedScore):
    """Structural similarity, the mean over images (SSIM): 1 for equal images.

    Called like `MeanAbsoluteError`, with images of 11×11 or more. Wang et al., "Image Quality
    Assessment", 2004. Matches the numbers of `tf.image.ssim`, and of
    `skimage.metrics.structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=-1` (its default, a flat window, gives others).
    """

    default_name = "ssim"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return structural_similarity(y_true, y_pred)


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class CycleError(MeanAbsoluteError):
    """Mean absolute difference between images and their reconstructions, |ba(ab(a)) − a|₁.

    The unweighted `CycleConsistencyLoss`, the authors' `loss_cycle_A` divided by its λ. A
    translator that changes nothing has the lowest: read it beside `ContentChange`.
    """

    default_name = "cycle_error"


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class ContentChange(MeanAbsoluteError):
    """Mean absolute difference of images and their translations: near 0, nothing is changed."""

    default_name = "content_change"


SHOWN = (
    ("MAE", "lower", "0 to 2", MeanAbsoluteError),
    ("PSNR", "higher", "decibels", PeakSignalToNoiseRatio),
    ("SSIM", "higher", "1 for equal images", StructuralSimilarity),
)


def measure(evaluation):
    """Measure the distance and the similarity of translations to their ground truth."""
    if not evaluation.sets.paired:
        return
    for direction in evaluation.round_trips:
        truth, compared = evaluation.pairs(direction)
        for name, better, unit, metric in SHOWN:
            protocol = evaluation.protocol(name, len(truth), unit=unit)
            scores = [Score(float(mean_score(metric(), truth, x)), protocol) for x in compared]
            yield Measured(name, direction, better, *scores)
        pixels = evaluation.formats[direction.target]
        if pixels.dtype != "uint8":
            unit = pixels.unit or "units"
            protocol = evaluation.protocol("MAE in units", len(truth), unit=unit)
            errors = (float(np.mean(np.abs(x - truth) * pixels.span / 2)) for x in compared)
            scores = [Score(error, protocol) for error in errors]
            yield Measured(f"MAE, {unit}", direction, "lower", *scores)


def measure_round_trips(evaluation):
    """Average the cycle error and the content change of each direction."""
    for direction, trip in evaluation.round_trips.items():
        for name, better, values in (
            ("Cycle error", "lower", trip.cycle_error),
            ("Content change", None, trip.content_change),
        ):
            if values is not None:
                protocol = evaluation.protocol(name, len(values), unit="0 to 2")
                protocol["translations"] = "not rounded"
                yield Measured(name, direction, better, Score(float(values.mean()), protocol))
