"""The base of the Fréchet and the kernel distance: from images to features, and the protocol."""

import functools
from typing import Any

import keras
import numpy as np

from keras_cyclegan.scores.inception import InceptionFeatures
from keras_cyclegan.scores.score import Score


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
        if not (extractor is None or extractor == "inception" or callable(extractor)):
            raise ValueError(
                f'`extractor` must be "inception", a callable or None. Received {extractor!r}.'
            )
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
        return InceptionFeatures() if self.extractor == "inception" else self.extractor

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
        for name, batches in self._batches.items():
            if (count := sum(map(len, batches))) < 2:
                raise ValueError(f"A distance needs two of each. Received {count} {name} images.")
        return [np.concatenate(batches) for batches in self._batches.values()]

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
    name = getattr(extractor, "name", None) or getattr(extractor, "__qualname__", None)
    return {"extractor": name or "features as given"}
