"""What tells two sets of images apart: a linear probe on features, and where in an image it looks.

Translators learn exactly what tells the domains apart: borders, logos, traces of JPEG, the sky.
"""

from typing import NamedTuple

import numpy as np

from keras_cyclegan.data import to_unit
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

STRIDE_16 = -2  # which of the network's maps
FOLDS = 5
PENALTY = 1.0  # of ridge regression, on standardised features


class Probe(NamedTuple):
    """The result of a probe, the most telling images first."""

    accuracy: float  # share of images, none of which it was fitted on, that it tells right
    indices: np.ndarray  # of the images, of A's and then of B's
    maps: np.ndarray  # (n, rows, columns): how much each patch speaks for the image's own domain


def network_features(images):
    """Return maps of EfficientNet-Lite0, `(n, rows, columns, d)`, of uint8 images."""
    network = efficientnet_lite("efficientnet-lite0", taps=True)
    return network.predict(normalise(to_unit(images)), batch_size=32, verbose=0)[STRIDE_16]


def probe(features_a, features_b):
    """Fit a linear probe that tells A from B by features of patches, `(n, rows, columns, d)`."""
    x = np.concatenate([features_a, features_b])
    count, rows, columns, depth = x.shape
    truth = np.repeat([-1.0, 1.0], [len(features_a), len(features_b)])
    # With its place: a logo in a corner tells by where it is.
    pooled = np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2)), _places(x)], axis=1)
    answers = _cross_validated(pooled[:, None], truth)[:, 0] * truth
    accuracy = np.mean([(answers[truth == domain] > 0).mean() for domain in (-1, 1)])
    maps = _cross_validated(x.reshape(count, -1, depth), truth) * truth[:, None]
    order = np.argsort(-answers)
    return Probe(float(accuracy), order, maps.reshape(count, rows, columns)[order])


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
    weights = np.where(truth < 0, 1 / (truth < 0).mean(), 1 / (truth > 0).mean())
    answers = np.empty((count, items))
    for fold in range(FOLDS):
        inside = folds != fold
        labels, shares = (np.repeat(each[inside], items) for each in (truth, weights))
        fitted, asked = x[inside].reshape(-1, depth), x[~inside].reshape(-1, depth)
        answers[~inside] = _ridge(fitted, labels, shares, asked).reshape(-1, items)
    return answers


def _ridge(x, y, weights, asked):
    """Fit a weighted ridge regression, and return its answers for other rows."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, asked = (x - mean) / scale, (asked - mean) / scale
    weights = weights / weights.mean()
    offset = np.average(y, weights=weights)
    matrix = (x * weights[:, None]).T @ x + PENALTY * len(x) * np.eye(x.shape[1])
    return asked @ np.linalg.solve(matrix, x.T @ (weights * (y - offset))) + offset
