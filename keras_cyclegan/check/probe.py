"""What tells two sets of images apart: a linear probe, and where in an image it looks.

Translators learn exactly what tells the domains apart: borders, logos, traces of JPEG, the sky. A
linear classifier on features of patches says how well they can be told, and which patches say it.
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
    """The result of a probe.

    Attributes:
        accuracy: float. Share of images, none of which it was fitted on, that it tells right; 0.5
            is chance.
        margins: array `(n,)`: how clearly each image is of its domain, most telling first.
        indices: array `(n,)` of the images, of A's and then of B's, in the same order.
        maps: array `(n, rows, columns)`: how much each patch says that it is, in that order.
        features: string. What the probe sees.
    """

    accuracy: float
    margins: np.ndarray
    indices: np.ndarray
    maps: np.ndarray
    features: str


def probe(images_a, images_b, describe=None):
    """Fit a linear probe that tells images of A from images of B.

    Args:
        images_a: uint8 array `(n, height, width, 3)`.
        images_b: the same of B.
        describe: function of images that returns features of patches, `(n, rows, columns, d)`, and
            a string that names them. None, the default, takes colours, contrast, edges and the
            traces of JPEG's blocks.

    Returns:
        `Probe`.
    """
    features, named = (describe or patch_statistics)(np.concatenate([images_a, images_b]))
    count, rows, columns, _ = features.shape
    # With its place: a logo in a corner tells by where it is.
    x = features - features.mean(axis=(0, 1, 2))
    x = x / (x.std(axis=(0, 1, 2)) + 1e-6)
    truth = np.repeat([-1.0, 1.0], [len(images_a), len(images_b)])
    weights = np.where(truth < 0, len(truth) / len(images_a), len(truth) / len(images_b))
    pooled = np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2)), _places(x)], axis=1)
    folds = np.random.default_rng(0).permutation(count) % FOLDS
    answers = np.empty(count)
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        answers[outside] = _ridge(pooled[inside], truth[inside], weights[inside], pooled[outside])
    right = np.sign(answers) == truth
    accuracy = np.mean([right[truth < 0].mean(), right[truth > 0].mean()])

    # The same for patches, each by the images that it wasn't fitted on.
    flat, maps = x.reshape(count, rows * columns, -1), np.empty((count, rows * columns))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        labels = np.repeat(truth[inside], rows * columns)
        each = np.repeat(weights[inside], rows * columns)
        fitted = flat[inside].reshape(-1, flat.shape[2])
        asked = flat[outside].reshape(-1, flat.shape[2])
        maps[outside] = _ridge(fitted, labels, each, asked).reshape(len(outside), -1)
    maps = (maps * truth[:, None]).reshape(count, rows, columns)
    margins = answers * truth
    order = np.argsort(-margins)
    return Probe(float(accuracy), margins[order], order, maps[order], named)


def _places(x):
    """Average features over a grid of 4×4 places."""
    rows, columns = (np.array_split(np.arange(side), min(4, side)) for side in x.shape[1:3])
    return np.concatenate(
        [x[:, r][:, :, c].mean(axis=(1, 2)) for r in rows for c in columns], axis=1
    )


def _ridge(x, y, weights, asked):
    """Fit a weighted ridge regression, and return its answers for other rows."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, asked = (x - mean) / scale, (asked - mean) / scale
    weights = weights / weights.mean()
    offset = np.average(y, weights=weights)
    if x.shape[1] > len(x):  # of many features and few images: by the images
        root = np.sqrt(weights)[:, None]
        scaled = x * root
        kernel = scaled @ scaled.T + PENALTY * len(x) * np.eye(len(x))
        return asked @ (scaled.T @ np.linalg.solve(kernel, (y - offset) * root[:, 0])) + offset
    matrix = (x * weights[:, None]).T @ x + PENALTY * np.eye(x.shape[1])
    return asked @ np.linalg.solve(matrix, x.T @ (weights * (y - offset))) + offset


def patch_statistics(images):
    """Describe patches by what pixels say: colours, contrast, edges, traces of JPEG's blocks."""
    pixels = images.astype("float32") / 255
    gray = pixels.mean(axis=3)
    edges = [np.abs(np.diff(gray, axis=axis, append=gray.take([-1], axis))) for axis in (1, 2)]
    blocks = [np.zeros_like(gray), np.zeros_like(gray)]
    blocks[0][:, 7::8] = edges[0][:, 7::8]
    blocks[1][:, :, 7::8] = edges[1][:, :, 7::8]
    planes = [*np.moveaxis(pixels, 3, 0), *edges, *blocks]
    count, height, width = gray.shape
    rows, columns = height // PATCH, width // PATCH
    cut = np.stack(planes, axis=-1)[:, : rows * PATCH, : columns * PATCH]
    cut = cut.reshape(count, rows, PATCH, columns, PATCH, len(planes))
    found = [
        cut.mean(axis=(2, 4)),
        cut.std(axis=(2, 4)),
        cut.min(axis=(2, 4)),
        cut.max(axis=(2, 4)),
    ]
    return np.concatenate(found, axis=-1), "colours, contrast, edges and JPEG blocks of patches"


def network_patches(required=False):
    """Return a function that describes patches by EfficientNet-Lite0, or None without its weights.

    Raises:
        ImportError: the package with its weights isn't installed, and it is `required`.
    """
    try:
        network = efficientnet_lite("efficientnet-lite0", taps=True)
    except ImportError:
        if required:
            raise
        return None

    def describe(images):
        maps = network.predict(normalise(to_unit(images)), batch_size=32, verbose=0)
        return np.asarray(maps[STRIDE_16]), "maps of EfficientNet-Lite0"

    return describe
