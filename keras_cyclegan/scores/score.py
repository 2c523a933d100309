"""Scores with how they were measured, and what `evaluate` gives."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import Direction
from keras_cyclegan.data.load import ImageSets
from keras_cyclegan.data.pixels import PixelFormat

BATCH = 32


class ProtocolMismatchError(ValueError):
    """Raised where scores of different protocols are compared; only their `value` can be."""


@dataclasses.dataclass(frozen=True)
class Score:
    """A score, and how it was measured.

    FID and KID depend on the extractor, on how images are resized and on how many there are: `-`,
    `<` and `>` raise `ProtocolMismatchError` unless both protocols are equal.

    Args:
        value: float.
        protocol: dict of names to strings or numbers: everything that the value depends on.
    """

    value: float
    protocol: dict[str, Any]

    def __sub__(self, other: "Score") -> float:
        if differing := dict(self.protocol.items() ^ other.protocol.items()):
            raise ProtocolMismatchError(
                f"These scores were measured differently: they differ in {', '.join(differing)}. "
                f"Received {self} and {other}."
            )
        return self.value - other.value

    def __lt__(self, other: "Score") -> bool:
        return self - other < 0


@dataclasses.dataclass(frozen=True)
class Measured:
    """One score of one direction.

    Attributes:
        name: string, `"KID"` for example.
        direction: `"a_to_b"` or `"b_to_a"`.
        better: `"lower"`, `"higher"`, or `None` for a score that is neither good nor bad.
        translated, untranslated: `Score` of the translations, and of the images as they are.
    """

    name: str
    direction: str
    better: str | None
    translated: Score
    untranslated: Score | None = None


class RoundTrips(NamedTuple):
    """The translations of all images of one domain, and how well each comes back."""

    translated: np.ndarray  # (n, height, width, channels), of 8 bits or in the domain's units
    cycle_error: np.ndarray | None  # (n,); None for a one-way model
    content_change: np.ndarray | None  # (n,); None where the domains differ in channels


@dataclasses.dataclass
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        sets: the images that were translated.
        names, formats: the images' names, and what their pixels mean, of `"a"` and `"b"`.
        round_trips: of each direction the translations, `cycle_error` and `content_change`.
        conditions: what the protocols of all scores share.
        options: arguments of `evaluate`.
        notes: what could not be measured, and why.
        measured: the scores.
        judged: of each direction the judge's `classes` and `images`, worst first.
    """

    sets: ImageSets
    names: dict[str, list[str]]
    formats: dict[str, PixelFormat]
    round_trips: dict[Direction, RoundTrips]
    conditions: dict[str, Any]
    options: dict[str, Any]
    notes: list[str]
    measured: list[Measured] = dataclasses.field(default_factory=list)
    judged: dict[Direction, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def images(self):
        """The images by domain: uint8, or floats in [-1, 1] of what has another format."""
        return {d: self._comparable(d, getattr(self.sets, d)) for d in "ab"}

    @functools.cached_property
    def translated(self):
        """Their translations by direction, likewise."""
        trips = self.round_trips.items()
        return {d: self._comparable(d.target, trip.translated) for d, trip in trips}

    def _comparable(self, domain, images):
        return images if images.dtype == "uint8" else self.formats[domain].to_unit(images)

    def pairs(self, direction):
        """Return the ground truth, and what it is held against: untranslated if channels allow."""
        source, truth = self.images[direction.source], self.images[direction.target]
        compared = [self.translated[direction]]
        return truth, [*compared, source] if source.shape == truth.shape else compared

    def protocol(self, name, count, **own):
        """Return the protocol of a score of `count` images."""
        return {"metric": name, **own, "images": count, **self.conditions}


def batches(images):
    """Yield images a batch at a time."""
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]


def mean_score(metric, truth, images):
    """Return the result of a metric over all images."""
    for batch_truth, batch in zip(batches(truth), batches(images), strict=True):
        metric.update_state(batch_truth, batch)
    return metric.result()
