"""What a measure is given, and what it gives."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import Direction
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
class Setting:
    """All that a measure may look at, by domain or by direction, and the notes that it may leave.

    Images and translations are uint8, or floats in [-1, 1] of what has another format.
    """

    images: dict[str, np.ndarray]  # (n, height, width, channels)
    names: dict[str, list[str]]
    paired: bool  # whether image i of B is the ground truth of image i of A
    round_trips: dict[Direction, RoundTrips]
    conditions: dict[str, Any]  # what the protocols of all scores share
    options: dict[str, Any]  # arguments of `evaluate`
    formats: dict[str, Any]  # `PixelFormat`s, of images that aren't of 8 bits
    notes: list[str]
    judged: dict[Direction, Any] = dataclasses.field(default_factory=dict)

    def protocol(self, name, count, **own):
        """Return the protocol of a score of `count` images."""
        return {"metric": name, **own, "images": count, **self.conditions}

    def pairs(self, direction):
        """Return the ground truth, and what it is held against: untranslated if channels allow."""
        source, truth = self.images[direction.source], self.images[direction.target]
        compared = [self.round_trips[direction].translated]
        return truth, [*compared, source] if source.shape == truth.shape else compared


def batches(images):
    """Yield images a batch at a time."""
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]


def mean_score(metric, truth, images):
    """Return the result of a metric over all images."""
    for batch_truth, batch in zip(batches(truth), batches(images), strict=True):
        metric.update_state(batch_truth, batch)
    return metric.result()
