"""Structural similarity of images, as a function that gradients pass through."""

import numpy as np
from keras import ops

WINDOW = 11  # pixels


def structural_similarity(first, second):
    """Compute the structural similarity of each pair of images, `(batch,)`: 1 for equal images.

    Wang et al., "Image Quality Assessment", 2004: a Gaussian window of 11×11 and σ = 1.5 that lies
    wholly inside the image, K1 = 0.01, K2 = 0.03, each channel by itself. Both are `(batch, height,
    width, channels)` in [-1, 1], and moved to [0, 1]: SSIM counts brightness from black.
    """
    height, width = first.shape[1:3]
    if min(side or WINDOW for side in (height, width)) < WINDOW:
        raise ValueError(f"SSIM needs images of 11×11 pixels or more. Received {height}×{width}.")
    mean_1, mean_2, variance_1, variance_2, covariance = local_moments(first, second)
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)) / (
        (mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2)
    )
    return ops.mean(similarity, axis=(1, 2, 3))


def local_moments(first, second):
    """Return the means, variances and covariance around each pixel, of images brought to [0, 1]."""
    first, second = (first + 1.0) / 2.0, (second + 1.0) / 2.0
    mean_1, mean_2 = blur(first), blur(second)
    variance_1 = blur(first * first) - mean_1**2
    variance_2 = blur(second * second) - mean_2**2
    return mean_1, mean_2, variance_1, variance_2, blur(first * second) - mean_1 * mean_2


def blur(images):
    """Average around each pixel whose window lies inside the image: `(n, h − 10, w − 10, c)`."""
    taps = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / 1.5) ** 2)
    taps = np.tile((taps / taps.sum()).astype("float32")[:, None], (1, images.shape[-1]))
    # The layout is named: `keras.config.image_data_format()` must not change a score.
    layout = {"padding": "valid", "data_format": "channels_last"}
    images = ops.depthwise_conv(images, taps[:, None, :, None], **layout)
    return ops.depthwise_conv(images, taps[None, :, :, None], **layout)
