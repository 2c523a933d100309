"""What tells two sets of images apart: a linear probe on patches, and where in an image it looks.

Translators learn exactly what tells the domains apart: borders, logos, traces of JPEG, the sky.
"""

from typing import NamedTuple

import numpy as np

from keras_cyclegan.data import to_unit
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

STRIDE_16 = -2  # which of the network's maps
PATCH = 16
FOLDS = 5
PENALTY = 1.0  # of ridge regression, on standardised features


class Probe(NamedTuple):
    """The result of a probe, the most telling images first."""

    accuracy: float  # share of images, none of which it was fitted on, that it tells right
    indices: np.ndarray  # of the images, of A's and then of B's
    maps: np.ndarray  # (n, rows, columns): how much each patch speaks for the image's own domain
    features: str  # what the probe sees


def probe(images_a, images_b, describe):
    """Fit a linear probe that tells images of A from images of B, uint8 `(n, height, width, 3)`.

    `describe` makes of images the features of patches, `(n, rows, columns, d)`, and their name.
    """
    features, named = describe(np.concatenate([images_a, images_b]))
    count, rows, columns, depth = features.shape
    x = features - features.mean(axis=(0, 1, 2))
    x = x / (x.std(axis=(0, 1, 2)) + 1e-6)
    truth = np.repeat([-1.0, 1.0], [len(images_a), len(images_b)])
    # With its place: a logo in a corner tells by where it is.
    pooled = np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2)), _places(x)], axis=1)
    answers = _cross_validated(pooled[:, None], truth)[:, 0] * truth
    accuracy = np.mean([(answers[truth == domain] > 0).mean() for domain in (-1, 1)])
    maps = _cross_validated(x.reshape(count, -1, depth), truth) * truth[:, None]
    order = np.argsort(-answers)
    return Probe(float(accuracy), order, maps.reshape(count, rows, columns)[order], named)


def _places(x):
    """Average features over a grid of 4×4 places."""
    rows, columns = (np.array_split(np.arange(side), min(4, side)) for side in x.shape[1:3])
    return np.concatenate(
        [x[:, r][:, :, c].mean(axis=(1, 2)) for r in rows for c in columns], axis=1
    )


def _cross_validated(x, truth):
    """Fit to items `(n, k, d)` of images, and answer for each image that wasn't fitted on."""
    count, items, depth = x.shape
    folds = np.random.default_rng(0).permutation(count) % FOLDS
    share = np.where(truth < 0, (truth < 0).mean(), (truth > 0).mean())
    answers = np.empty((count, items))
    for fold in range(FOLDS):
        inside = folds != fold
        labels, weights = (np.repeat(each[inside], items) for each in (truth, 1 / share))
        fitted, asked = x[inside].reshape(-1, depth), x[~inside].reshape(-1, depth)
        answers[~inside] = _ridge(fitted, labels, weights, asked).reshape(-1, items)
    return answers


def _ridge(x, y, weights, asked):
    """Fit a weighted ridge regression, and return its answers for other rows."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, asked = (x - mean) / scale, (asked - mean) / scale
    weights = weights / weights.mean()
    offset = np.average(y, weights=weights)
    matrix = (x * weights[:, None]).T @ x + PENALTY * len(x) * np.eye(x.shape[1])
    return asked @ np.linalg.solve(matrix, x.T @ (weights * (y - offset))) + offset


def patch_statistics(images):
    """Describe patches by what pixels say: colours, contrast, edges, traces of JPEG's blocks."""
    pixels = images.astype("float32") / 255
    gray = pixels.mean(axis=3)
    edges = [np.abs(np.diff(gray, axis=axis, append=gray.take([-1], axis))) for axis in (1, 2)]
    blocks = [np.zeros_like(gray), np.zeros_like(gray)]
    blocks[0][:, 7::8] = edges[0][:, 7::8]
    blocks[1][:, :, 7::8] = edges[1][:, :, 7::8]
    planes = np.stack([*np.moveaxis(pixels, 3, 0), *edges, *blocks], axis=-1)
    count, height, width, depth = planes.shape
    rows, columns = height // PATCH, width // PATCH
    cut = planes[:, : rows * PATCH, : columns * PATCH]
    cut = cut.reshape(count, rows, PATCH, columns, PATCH, depth)
    found = [summary(cut, axis=(2, 4)) for summary in (np.mean, np.std, np.min, np.max)]
    return np.concatenate(found, axis=-1), "colours, contrast, edges and JPEG blocks of patches"


def network_patches():
    """Return what describes patches by EfficientNet-Lite0; without its weights, by statistics."""
    try:
        network = efficientnet_lite("efficientnet-lite0", taps=True)
    except ImportError:
        return patch_statistics

    def describe(images):
        maps = network.predict(normalise(to_unit(images)), batch_size=32, verbose=0)
        return np.asarray(maps[STRIDE_16]), "maps of EfficientNet-Lite0"

    return describe
