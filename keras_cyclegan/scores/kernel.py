"""Kernel Inception distance."""

import keras
import numpy as np

from keras_cyclegan.scores.features import FeatureDistance
from keras_cyclegan.scores.score import Score


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class KernelInceptionDistance(FeatureDistance):
    """Squared maximum mean discrepancy between real and generated images (KID).

    The kernel is k(x, y) = (x·y/d + 1)³ on `d` features. The estimate is unbiased, so that it can
    be used for a hundred images too, and may be slightly negative: Bińkowski et al., "Demystifying
    MMD GANs", ICLR 2018. Tables usually print it times 100; this is the value itself.

    Args:
        extractor: what turns a batch of images into features `(batch, d)`: `"inception"` (the
            default), see `InceptionFeatures`; a keras model, which gets the images as they are; a
            callable; or `None` where features are given in place of images.
        protocol: dict. Describes `"extractor"` and `"resizing"` in words, which scores carry, where
            the extractor has no attribute `protocol` of its own. None, the default, for no words.

    Example:

    ```python
    distance = KernelInceptionDistance(extractor=None)
    generator = np.random.default_rng(0)
    distance.update_state(real=generator.normal(size=(140, 8)))
    for _ in range(3):  # a set may come in batches
        distance.update_state(generated=generator.normal(size=(40, 8)) + 1.0)
    distance.score().protocol["generated images"]  # 120
    ```
    """

    default_name = "kernel_inception_distance"

    def score(self) -> Score:
        """Return the distance between the two whole sets, a `Score`."""
        value = unbiased_discrepancy(*self._sets())
        return self._score(value, estimate="unbiased, whole sets")

    def subset_score(self, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> Score:
        """Return the mean and the standard deviation over random subsets, a `Score`.

        Matches the numbers of torch-fidelity 0.4 (`kid_features_to_metric`, polynomial kernel) on
        the same features, subset for subset; the defaults are its.

        Args:
            subsets: int. How many pairs of subsets are drawn.
            subset_size: int. Images in each, drawn without replacement.
            seed: int. Equal seeds draw equal subsets.
        """
        real, generated = self._sets()
        if subsets < 1 or not 2 <= subset_size <= min(len(real), len(generated)):
            raise ValueError(
                "At least one subset is drawn, of at least 2 images and at most the smaller set. "
                f"Received {subsets=}, {subset_size=} for {len(real)} real and {len(generated)} "
                "generated images."
            )
        # The old generator, because torch-fidelity draws with it: equal subsets, equal numbers.
        random = np.random.RandomState(seed)
        values = []
        for _ in range(subsets):
            # torch-fidelity's first set, by its own convention, is the generated one.
            drawn_generated = generated[random.choice(len(generated), subset_size, replace=False)]
            drawn_real = real[random.choice(len(real), subset_size, replace=False)]
            values.append(unbiased_discrepancy(drawn_real, drawn_generated))
        return self._score(
            np.mean(values),
            deviation=float(np.std(values)),
            estimate=f"unbiased, {subsets} subsets of {subset_size}, seed {seed}",
        )


def unbiased_discrepancy(real, generated):
    """Estimate E k(x, x') − 2·E k(x, y) + E k(y, y') of features, with x ≠ x' and y ≠ y'."""
    within = 0.0
    for x in (real, generated):
        diagonal = np.sum((np.sum(x.astype("float64") ** 2, axis=1) / x.shape[1] + 1.0) ** 3)
        within += (_kernel_sum(x, x) - diagonal) / (len(x) * (len(x) - 1))
    return within - 2 * _kernel_sum(real, generated) / (len(real) * len(generated))


def _kernel_sum(x, y, block=1024):
    """Sum k over all pairs, block by block: the matrix of 50,000 images would take 20 GB."""
    total = 0.0
    for i in range(0, len(x), block):
        rows = x[i : i + block].astype("float64")
        for j in range(0, len(y), block):
            columns = y[j : j + block].astype("float64")
            total += np.sum((rows @ columns.T / x.shape[1] + 1.0) ** 3)
    return total
