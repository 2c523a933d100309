"""Scores with how they were measured, and what `evaluate` gives."""

import dataclasses
import functools
import operator
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import Direction
from keras_cyclegan.data.load import ImageSets
from keras_cyclegan.data.pixels import PixelFormat

BATCH = 32


class ProtocolMismatchError(ValueError):
    """Raised when scores that were measured in different ways are compared.

    The message says what differs. Measure both in one way, or compare their `value`.
    """


@functools.total_ordering
@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A score that can only be compared with scores measured in the same way.

    FID and KID depend on the extractor, on how images are resized and on how many there are: `==`,
    `<`, `-` and the like raise `ProtocolMismatchError` unless all protocols are equal.

    Args:
        value: float.
        protocol: dict of names to strings or numbers: everything that the value depends on.
        deviation: float or `None`, the default. Standard deviation over subsets, if there are any.

    Example:

    ```python
    score = Score(0.195, {"metric": "KID", "real images": 140})
    score < Score(0.2, {"metric": "KID", "real images": 140})  # True
    ```
    """

    value: float
    protocol: dict
    deviation: float | None = None

    def __eq__(self, other):
        return self._compare(operator.eq, other)

    def __lt__(self, other):
        return self._compare(operator.lt, other)

    def __sub__(self, other):
        return self._compare(operator.sub, other)

    def __float__(self):
        return float(self.value)

    def __str__(self):
        value = f"{self.value:.6g}"
        if self.deviation is not None:
            value += f" ± {self.deviation:.3g}"
        return f"{value} ({', '.join(f'{key}: {item}' for key, item in self.protocol.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Return the score as a dict for `json.dump`."""
        return dataclasses.asdict(self)

    def _compare(self, compare, other):
        if not isinstance(other, Score):
            return NotImplemented
        mine, theirs = self.protocol, other.protocol
        differing = [
            f"{key}: {mine.get(key, 'absent')!r} against {theirs.get(key, 'absent')!r}"
            for key in dict.fromkeys([*mine, *theirs])
            if mine.get(key) != theirs.get(key)
        ]
        if differing:
            raise ProtocolMismatchError(
                f"These scores were measured differently: they differ in {'; '.join(differing)}. "
                "Measure both in the same way, or compare `.value` at your own risk."
            )
        return compare(self.value, other.value)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One score of one direction.

    Attributes:
        name: string, `"KID"` for example.
        direction: `"a_to_b"` or `"b_to_a"`.
        better: `"lower"`, `"higher"`, or `None` for a score that is neither good nor bad.
        translated: `Score`.
        untranslated: `Score` of the untranslated images. None, the default, where there is none.

    Example:

    ```python
    [score.translated.value for score in evaluation.measured if score.name == "MAE"]
    ```
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
        sets: `ImageSets`, the images that were translated.
        names: dict of domains, `"a"` and `"b"`, to the names of their images.
        formats: dict of domains to the `PixelFormat` of their images.
        round_trips: dict of directions to the translations, `cycle_error` and `content_change`.
        conditions: dict. What the protocols of all scores share.
        options: dict. Arguments of `evaluate`.
        notes: list of strings: what could not be measured, and why.
        measured: list of `Measured`, the scores.
        judged: dict of directions to the judge's `classes` and `images`, worst first.

    Example:

    ```python
    errors = evaluation.round_trips["a_to_b"].cycle_error
    worst = evaluation.sets.a[np.argmax(errors)]
    ```
    """

    sets: ImageSets
    names: dict[str, list[str]]
    formats: dict[str, PixelFormat]
    round_trips: dict[Direction, RoundTrips]
    conditions: dict[str, Any]
    options: dict[str, Any]
    notes: list[str]
    measured: list[Measured]
    judged: dict[Direction, Any]

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
