"""What `evaluate` gives: scores, and what they were measured on."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import Direction
from keras_cyclegan.data.load import ImageSets
from keras_cyclegan.data.pixels import PixelFormat
from keras_cyclegan.scores.score import Score

BATCH = 32


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
    errors = [score for score in evaluation.measured if score.name == "MAE"]
    better_than_nothing = [score.translated < score.untranslated for score in errors]
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
    """The result of `evaluate`; while it is made, all that a measure may look at or note.

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
    evaluation = evaluate(model, "glyphs", extractor="none")
    errors = evaluation.round_trips["a_to_b"].cycle_error
    worst = evaluation.sets.a[np.argmax(errors)]  # uint8, (32, 32, 3)
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
