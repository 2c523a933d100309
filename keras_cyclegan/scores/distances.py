"""The distances between sets of images, KID and FID: features, their numbers, and the protocol."""

import functools
from typing import Any

import keras
import numpy as np

from keras_cyclegan.data import to_unit
from keras_cyclegan.scores.extractors import find_extractor
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.score import BATCH, Measured, Score, batches

MIN_STEADY = 50  # with fewer images, KID varies more by chance than between translators


class FeatureDistance(keras.metrics.Metric):
    """Distance between a set of real and a set of generated images, in a space of features.

    Images are turned into features batch by batch; the two sets are unpaired and may differ in
    size. Features are kept on the host until `reset_state()`: don't give it to
    `compile(metrics=...)`. `KernelInceptionDistance` describes the arguments.
    """

    default_name = "feature_distance"

    def __init__(
        self,
        extractor: Any = "inception",
        protocol: dict[str, str] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name or self.default_name, **kwargs)
        self.extractor = extractor
        self.protocol = protocol
        self.reset_state()

    def update_state(self, real: Any = None, generated: Any = None) -> Any:
        """Add a batch of one set or of both: images, or features where `extractor` is `None`."""
        given = {"real": real, "generated": generated}
        # Both are checked before either is kept.
        features = {n: self._features_of(n, x) for n, x in given.items() if x is not None}
        for name, batch in features.items():
            self._batches[name].append(batch)

    def score(self) -> Score:
        """Return the distance with its protocol, a `Score`."""
        raise NotImplementedError

    def result(self) -> float:
        """Return the distance as a float. `score()` says how it was obtained."""
        return self.score().value

    def reset_state(self) -> None:
        self._batches: dict[str, list[Any]] = {"real": [], "generated": []}
        self._sizes: dict[str, set[Any]] = {"real": set(), "generated": set()}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "extractor": self.extractor, "protocol": self.protocol}

    @functools.cached_property
    def _network(self):
        return None if self.extractor is None else find_extractor(self.extractor)[0]

    def _features_of(self, name, images):
        features, network = images, self._network
        if network is not None:
            is_model = isinstance(network, keras.Model)
            features = network.predict_on_batch(images) if is_model else network(images)
            self._sizes[name].add("×".join(map(str, images.shape[1:3])))
        # A copy: the caller may write the next batch into the same array.
        features = np.array(keras.ops.convert_to_numpy(features))
        if features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError(
                "Features are finite, `(batch, d)`: a convolutional extractor must end in pooling. "
                f"Received {features.shape} up to {np.max(features)} for the {name} images."
            )
        return features

    def _sets(self):
        """Return all features of both sets, `(n, d)`, at least two of each."""
        for name, parts in self._batches.items():
            if (count := sum(map(len, parts))) < 2:
                raise ValueError(f"A distance needs two of each. Received {count} {name} images.")
        return [np.concatenate(parts) for parts in self._batches.values()]

    def _score(self, value, estimate):
        described = self.protocol or describe_extractor(self._network)
        sizes = {f"{n} image size": " and ".join(sorted(s)) for n, s in self._sizes.items() if s}
        counts = {f"{n} images": sum(map(len, x)) for n, x in self._batches.items()}
        protocol = {"metric": type(self).__name__, "estimate": estimate, **described}
        return Score(float(value), {**protocol, **sizes, **counts})


def describe_extractor(extractor):
    """Return what a score says of an extractor: its own `protocol`, or its name."""
    if found := getattr(extractor, "protocol", None):
        return found
    if extractor is None:
        return {"extractor": "features as given"}
    name = getattr(extractor, "__qualname__", type(extractor).__qualname__)
    return {"extractor": getattr(extractor, "name", name)}


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class KernelInceptionDistance(FeatureDistance):
    """Squared maximum mean discrepancy between real and generated images (KID).

    The kernel is k(x, y) = (x·y/d + 1)³ on `d` features. The estimate is unbiased, also for a
    hundred images, and may be slightly negative: Bińkowski et al., "Demystifying MMD GANs", ICLR
    2018. Tables usually print it times 100; this is the value itself.

    Args:
        extractor: what turns a batch of images into features `(batch, d)`: `"inception"` (the
            default), see `InceptionFeatures`; `"efficientnet-lite0"`; a keras model, which gets the
            images as they are; a callable; or `None` where features are given in place of images.
        protocol: dict of words that scores carry: what the extractor is, and how it resizes. None
            takes its attribute `protocol`, or else its name.
    """

    default_name = "kernel_inception_distance"

    def score(self) -> Score:
        return self._score(unbiased_discrepancy(*self._sets()), "unbiased, whole sets")


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


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class FrechetInceptionDistance(FeatureDistance):
    """Fréchet distance between two sets of images, each taken as a Gaussian in features (FID).

    |μ − μ'|² + Tr(Σ + Σ' − 2·(Σ·Σ')^½), Heusel et al., "GANs Trained by a Two Time-Scale Update
    Rule", NeurIPS 2017. Matches the numbers of pytorch-fid 0.3, on the same features to 1e-6. It is
    biased upward, strongly with fewer images than features (2048); `KernelInceptionDistance` isn't.

    Args:
        extractor, protocol: as in `KernelInceptionDistance`.
    """

    default_name = "frechet_inception_distance"

    def score(self) -> Score:
        real, generated = (_moments(features.astype("float64")) for features in self._sets())
        return self._score(frechet_distance(*real, *generated), "Gaussian, sample covariance")


def _moments(features):
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(mean, covariance, other_mean, other_covariance):
    """Compute the squared Fréchet distance between two Gaussians.

    With Σ = F·Fᵀ and Σ' = G·Gᵀ, the trace of (Σ·Σ')^½ is the sum of the singular values of Fᵀ·G: so
    nothing turns complex, and nothing is added to the diagonal (pytorch-fid adds 1e-6).
    """
    shift = mean - other_mean
    product = _factor(covariance).T @ _factor(other_covariance)  # (rank, other rank)
    overlap = np.linalg.svd(product, compute_uv=False).sum()
    return float(shift @ shift + np.trace(covariance) + np.trace(other_covariance) - 2 * overlap)


def _factor(covariance):
    """Compute F with F·Fᵀ = Σ and as many columns as Σ has rank."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(covariance) * np.finfo("float64").eps
    return vectors[:, kept] * np.sqrt(values[kept])


DISTANCES = {"KID": KernelInceptionDistance, "FID": FrechetInceptionDistance}


def measure(evaluation):
    """Measure KID and FID to the real images, of translations and of untranslated images."""
    extractor, fid, chosen = map(evaluation.options.get, ("extractor", "fid", "score_channels"))
    if extractor is None:
        return
    smallest = min(map(len, evaluation.images.values()))
    if not chosen and not {x.shape[-1] for x in evaluation.images.values()} <= {1, 3}:
        evaluation.notes.append(
            "KID and FID are left out: their features are of RGB or gray. --score-channels 0,1,2 "
            "measures three channels, --score-channels 0 one."
        )
        return
    protocol = {**describe_extractor(extractor), **evaluation.conditions}
    if chosen:
        protocol["channels"] = ", ".join(map(str, chosen))
    real = {d: _features(extractor, images, chosen) for d, images in evaluation.images.items()}
    if fid is None:
        fid = all(len(features) > features.shape[1] for features in real.values())
    for direction, images in evaluation.translated.items():
        translated = _features(extractor, images, chosen)
        for name, distance in list(DISTANCES.items())[: 2 if fid else 1]:
            scores = []
            for generated in (translated, real[direction.source]):
                metric = distance(extractor=None, protocol=protocol)
                metric.update_state(real[direction.target], generated)
                scores.append(metric.score())
            yield Measured(name, direction, "lower", *scores)
    if smallest < MIN_STEADY:
        evaluation.notes.append(f"KID of {smallest} images varies much by chance: take more.")
    if not fid:
        evaluation.notes.append(
            f"FID is left out: of {smallest} images, fewer than features, it is strongly biased; "
            "KID is not. --fid measures FID nevertheless."
        )


def _features(extractor, images, channels):
    if channels:
        images = images[..., [min(channel, images.shape[-1] - 1) for channel in channels]]
    images = as_levels(images)
    images = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
    if isinstance(extractor, keras.Model):
        return extractor.predict(to_unit(images), batch_size=BATCH, verbose=0)
    return np.concatenate([extractor(batch) for batch in batches(images)])
