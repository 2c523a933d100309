"""Scores of translations whose ground truth is known."""

import keras
import numpy as np

from keras_cyclegan.metrics.images import as_floats

DATA_RANGE = 2.0  # from -1 to 1


class PairedScore(keras.metrics.Mean):
    """Mean over images of a score of an image and its ground truth.

    Every image weighs the same, so the result doesn't depend on the batch size. Works inside a
    compiled step, on every backend.

    Call arguments:
        y_true: ground truth, `(batch, height, width, channels)`: uint8, or floats in [-1, 1].
        y_pred: translations, the same shape, in either range.
        sample_weight: `(batch,)` or `None`.
    """

    default_name = "paired_score"

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name or self.default_name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = as_floats(y_true), as_floats(y_pred)
        if len(y_true.shape) != 4 or not _shapes_agree(y_true.shape, y_pred.shape):
            raise ValueError(
                f"{type(self).__name__} compares images of one shape, `(batch, height, width, "
                f"channels)`. Received {tuple(y_true.shape)} and {tuple(y_pred.shape)}."
            )
        return super().update_state(self.per_image(y_true, y_pred), sample_weight=sample_weight)

    def per_image(self, y_true, y_pred):
        """Returns the score of each image, `(batch,)`, of images in [-1, 1]."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class MeanAbsoluteError(PairedScore):
    """Mean absolute difference of all pixels and channels, on the scale of [-1, 1].

    0 to 2; the unit of `CycleConsistencyLoss`. Matches the numbers of
    `keras.metrics.MeanAbsoluteError` on images in [-1, 1], and takes uint8 too.

    Args:
        name: string, `"mean_absolute_error"` by default.
        dtype: the dtype of the sum.
    """

    default_name = "mean_absolute_error"

    def per_image(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class PeakSignalToNoiseRatio(PairedScore):
    """Peak signal-to-noise ratio in decibels, the mean over images (PSNR).

    Matches the numbers of `skimage.metrics.peak_signal_noise_ratio` on each image, with
    `data_range` 255 for uint8 and 2 for floats in [-1, 1]. Infinite as soon as one image equals
    its ground truth.

    Args:
        name: string, `"psnr"` by default.
        dtype: the dtype of the sum.

    Example:

    >>> import numpy as np
    >>> psnr = PeakSignalToNoiseRatio()
    >>> psnr.update_state(np.zeros((1, 8, 8, 3), "uint8"), np.full((1, 8, 8, 3), 51, "uint8"))
    >>> round(float(psnr.result()), 2)
    13.98
    """

    default_name = "psnr"

    def per_image(self, y_true, y_pred):
        error = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(1, 2, 3))
        return 10.0 * keras.ops.log10(DATA_RANGE**2 / error)


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class StructuralSimilarity(PairedScore):
    """Structural similarity, the mean over images (SSIM): 1 for equal images.

    Wang et al., "Image Quality Assessment", 2004: a Gaussian window of 11×11 and σ = 1.5 that lies
    wholly inside the image, K1 = 0.01, K2 = 0.03, each channel by itself. Matches the numbers of
    `skimage.metrics.structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=-1`, and of `tf.image.ssim`, on the uint8 images.
    Floats in [-1, 1] are first moved to [0, 1]: SSIM counts brightness from black. scikit-image's
    own default, a flat window of 7×7, gives other numbers.

    Args:
        name: string, `"ssim"` by default.
        dtype: the dtype of the sum.

    Raises:
        ValueError: for images smaller than the window.
    """

    default_name = "ssim"
    window = 11  # pixels

    def per_image(self, y_true, y_pred):
        height, width = y_true.shape[1:3]
        if min(side or self.window for side in (height, width)) < self.window:
            raise ValueError(
                "SSIM looks through a window of 11×11 pixels: images must be that large. "
                f"Received {height}×{width}."
            )
        # Its brightness term counts from black, so it wants the range from 0.
        y_true, y_pred = (y_true + 1.0) / 2.0, (y_pred + 1.0) / 2.0
        mean_true, mean_pred = _blur(y_true), _blur(y_pred)
        variance_true = _blur(y_true * y_true) - mean_true**2
        variance_pred = _blur(y_pred * y_pred) - mean_pred**2
        covariance = _blur(y_true * y_pred) - mean_true * mean_pred
        c1, c2 = 0.01**2, 0.03**2
        similarity = ((2 * mean_true * mean_pred + c1) * (2 * covariance + c2)) / (
            (mean_true**2 + mean_pred**2 + c1) * (variance_true + variance_pred + c2)
        )
        return keras.ops.mean(similarity, axis=(1, 2, 3))


def _shapes_agree(shape, other):
    """Whether two shapes can be one; a side that isn't known yet in a compiled step agrees."""
    return len(shape) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(shape, other, strict=True)
    )


def _blur(images, size=11, sigma=1.5):
    """Gaussian mean around each pixel, where the window lies inside: `(n, h − 10, w − 10, c)`."""
    taps = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    taps = np.tile((taps / taps.sum()).astype("float32")[:, None], (1, images.shape[-1]))
    # The layout is named: `keras.config.image_data_format()` must not change a score.
    layout = {"padding": "valid", "data_format": "channels_last"}
    images = keras.ops.depthwise_conv(images, taps[:, None, :, None], **layout)
    return keras.ops.depthwise_conv(images, taps[None, :, :, None], **layout)
