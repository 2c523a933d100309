"""The base of the Fréchet and the kernel distance: from images to features, and the protocol."""

import functools
import re
import zlib
from typing import Any

import keras
import numpy as np

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
        describe_extractor(extractor, protocol)  # raises if it can't
        self.reset_state()

    def update_state(self, real: Any = None, generated: Any = None) -> Any:
        """Add a batch of one set or of both: images, or features where `extractor` is `None`."""
        given = {"real": real, "generated": generated}
        # Both are checked before either is kept.
        features = {n: self._features_of(n, x) for n, x in given.items() if x is not None}
        if not features:
            raise ValueError("Give `real`, `generated` or both. Received neither.")
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
        self._width: Any = None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "extractor": self.extractor, "protocol": self.protocol}

    @functools.cached_property
    def _network(self):
        from keras_cyclegan.scores.inception import InceptionFeatures

        return InceptionFeatures() if self.extractor == "inception" else self.extractor

    def _features_of(self, name, images):
        features, network = images, self._network
        if network is not None:
            is_model = isinstance(network, keras.Model)
            features = network.predict_on_batch(images) if is_model else network(images)
            self._sizes[name].add("×".join(map(str, images.shape[1:3])))
        # A copy: the caller may write the next batch into the same array.
        features = np.array(keras.ops.convert_to_numpy(features))
        if features.ndim != 2 or 0 in features.shape:
            raise ValueError(
                f"Features must be `(batch, d)`. Received {features.shape} for the {name} images: "
                "a convolutional extractor must end in pooling."
            )
        if self._width not in (None, features.shape[1]):
            raise ValueError(
                f"Features must come from one extractor. Received {features.shape[1]} after "
                f"{self._width}."
            )
        self._width = features.shape[1]
        if broken := (~np.isfinite(features).all(axis=1)).sum():
            raise ValueError(
                f"{broken} of {len(features)} {name} images have features that are NaN or infinite."
            )
        return features

    def _sets(self):
        """Return all features of both sets, `(n, d)`, at least two of each."""
        for name, batches in self._batches.items():
            if (count := sum(map(len, batches))) < 2:
                raise ValueError(f"A distance needs two of each. Received {count} {name} images.")
        return [np.concatenate(batches) for batches in self._batches.values()]

    def _score(self, value, deviation=None, **protocol):
        sizes = {f"{n} image size": " and ".join(sorted(s)) for n, s in self._sizes.items() if s}
        counts = {f"{n} images": sum(map(len, x)) for n, x in self._batches.items()}
        protocol = {"metric": type(self).__name__, **protocol}
        protocol |= describe_extractor(self._network, self.protocol)
        return Score(float(value), {**protocol, **sizes, **counts}, deviation)


def describe_extractor(extractor, protocol=None):
    """Describe an extractor for scores: a dict with `"extractor"` and `"resizing"`, in words."""
    protocol = protocol or getattr(extractor, "protocol", None)
    if protocol is not None:
        if missing := {"extractor", "resizing"} - set(protocol):
            raise ValueError(
                f"`protocol` must say {' and '.join(sorted(missing))}. Received {protocol}."
            )
        return dict(protocol)
    if extractor is None:
        return {"extractor": "features as given", "resizing": "unknown"}
    if isinstance(extractor, str):
        name = extractor
    elif isinstance(extractor, keras.Model):
        digest = 0  # which differs where weights do
        for weight in extractor.get_weights():
            digest = zlib.crc32(np.ascontiguousarray(weight), digest)
        # Keras ends names that it makes up with a number, which depends on what was built before.
        name = re.sub(r"_\d+$", "", extractor.name)
        name += f", {extractor.count_params():,} parameters, weights crc32 {digest:08x}"
    else:
        name = getattr(extractor, "__qualname__", type(extractor).__qualname__)
        if "<lambda>" in name:
            raise ValueError(
                "A lambda has no name for scores to carry: describe it, "
                '`protocol={"extractor": "MobileNetV2", "resizing": "bilinear to 224×224"}`.'
            )
        name = f"{extractor.__module__}.{name}"
    return {"extractor": name, "resizing": "the extractor's"}
