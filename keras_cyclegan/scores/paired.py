"""Scores of translations whose ground truth is known."""

from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.losses.similarity import WINDOW, structural_similarity
from keras_cyclegan.scores.images import as_floats
from keras_cyclegan.scores.measured import Measured, mean_score
from keras_cyclegan.scores.score import Score

DATA_RANGE = 2.0  # from -1 to 1


class PairedScore(keras.metrics.Mean):
    """Mean over images of a score of an image and its ground truth.

    Every image weighs the same, so the result doesn't depend on the batch size. Works inside a
    compiled step, on every backend. Images are uint8, or floats in [-1, 1].
    """

    default_name = "paired_score"

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or self.default_name, **kwargs)

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Any:
        y_true, y_pred = as_floats(y_true), as_floats(y_pred)
        if len(y_true.shape) != 4 or not _may_be_equal(y_true.shape, y_pred.shape):
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
    """Mean absolute difference of all pixels and channels, on the scale of [-1, 1].

    From 0 to 2, the unit of `CycleConsistencyLoss`. Matches the numbers of
    `keras.metrics.MeanAbsoluteError` on images in [-1, 1], and takes uint8 too.

    Call arguments:
        y_true: ground truth, `(batch, height, width, channels)`: uint8, or floats in [-1, 1].
        y_pred: translations, the same shape, of either kind.
        sample_weight: `(batch,)` or `None`, the default.

    Raises:
        ValueError: the shapes differ, or pixels are neither uint8 nor in [-1, 1].

    Example:

    ```python
    error = MeanAbsoluteError()
    for a, b in validation.take(2):  # pairs
        error.update_state(b, model.generator_ab(a))
    error.result()
    ```
    """

    default_name = "mean_absolute_error"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class PeakSignalToNoiseRatio(PairedScore):
    """Peak signal-to-noise ratio in decibels, the mean over images (PSNR).

    Matches the numbers of `skimage.metrics.peak_signal_noise_ratio` on each image, with
    `data_range` 255 for uint8 and 2 for floats in [-1, 1]. Infinite as soon as one image equals
    its ground truth.

    Call arguments:
        y_true, y_pred, sample_weight: as for `MeanAbsoluteError`.

    Example:

    ```python
    psnr = PeakSignalToNoiseRatio()
    psnr.update_state(np.zeros((1, 8, 8, 3), "uint8"), np.full((1, 8, 8, 3), 51, "uint8"))
    psnr.result()  # 13.9794
    ```
    """

    default_name = "psnr"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        error = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(1, 2, 3))
        return 10.0 * keras.ops.log10(DATA_RANGE**2 / error)


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class StructuralSimilarity(PairedScore):
    """Structural similarity, the mean over images (SSIM): 1 for equal images.

    Wang et al., "Image Quality Assessment", 2004: a Gaussian window of 11×11 and σ = 1.5 that lies
    wholly inside the image, K1 = 0.01, K2 = 0.03, each channel by itself. Matches the numbers of
    `skimage.metrics.structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=-1` (its default, a flat window of 7×7, gives others),
    and of `tf.image.ssim`, on the uint8 images. Floats in [-1, 1] are first moved to [0, 1]: SSIM
    counts brightness from black.

    Call arguments:
        y_true, y_pred, sample_weight: as for `MeanAbsoluteError`, images of 11×11 or more.

    Example:

    ```python
    ssim = StructuralSimilarity()
    ssim.update_state(images, images)
    ssim.result()  # 1.0
    ```
    """

    default_name = "ssim"

    def per_image(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return structural_similarity(y_true, y_pred)


def _may_be_equal(shape, other):
    """Whether two shapes agree in the sides that are known; a compiled step doesn't know all."""
    return len(shape) == len(other) and all(
        a == b or None in (a, b) for a, b in zip(shape, other, strict=True)
    )


SHOWN = (
    ("MAE", "lower", "0 to 2", MeanAbsoluteError),
    ("PSNR", "higher", "decibels", PeakSignalToNoiseRatio),
    ("SSIM", "higher", "1 for equal images", StructuralSimilarity),
)


def measure(setting):
    """Measure the distance and the similarity of translations to their ground truth."""
    if not setting.paired:
        return
    small = min(setting.images["a"].shape[1:3]) < WINDOW
    for direction in setting.round_trips:
        truth, compared = setting.pairs(direction)
        for name, better, unit, metric in SHOWN[:2] if small else SHOWN:
            protocol = setting.protocol(name, len(truth), unit=unit)
            scores = [Score(float(mean_score(metric(), truth, x)), protocol) for x in compared]
            yield Measured(name, direction, better, *scores)
        if pixels := setting.formats.get(direction.target):
            unit = pixels.unit or "units"
            protocol = setting.protocol("MAE in units", len(truth), unit=unit)
            errors = (float(np.mean(np.abs(x - truth) * pixels.span / 2)) for x in compared)
            scores = [Score(error, protocol) for error in errors]
            yield Measured(f"MAE, {unit}", direction, "lower", *scores)
    if small:
        setting.notes.append("SSIM is left out: it needs images of 11×11 or more.")
