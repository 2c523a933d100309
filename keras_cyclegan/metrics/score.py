"""A figure together with how it was obtained."""

import dataclasses
import functools
from typing import Any


class ProtocolMismatchError(ValueError):
    """Two scores were compared that were not measured in the same way."""


@functools.total_ordering
@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A figure that only compares with figures measured in the same way.

    FID and KID depend on the extractor, on how images are resized and on how many there are: two
    of them say nothing about each other unless all of that is equal. `==`, `<`, `-` and the like
    raise `ProtocolMismatchError` where it is not, and say what differs.

    Args:
        value: float.
        protocol: dict of names to strings or numbers: everything that the value depends on.
        deviation: float or `None`. Standard deviation over subsets, where there are subsets.

    Example:

    >>> score = Score(0.195, {"metric": "KID", "real images": 140})
    >>> score < Score(0.2, {"metric": "KID", "real images": 140})
    True
    """

    value: float
    protocol: dict
    deviation: float | None = None

    def __eq__(self, other):
        if not isinstance(other, Score):
            return NotImplemented
        self._require_same_protocol(other)
        return self.value == other.value

    def __lt__(self, other):
        if not isinstance(other, Score):
            return NotImplemented
        self._require_same_protocol(other)
        return self.value < other.value

    def __sub__(self, other):
        """The difference of two values, a float."""
        if not isinstance(other, Score):
            return NotImplemented
        self._require_same_protocol(other)
        return self.value - other.value

    # Equality may raise, so scores must not meet as keys of one dict.
    __hash__ = None  # type: ignore[assignment]

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self):
        value = f"{self.value:.6g}"
        if self.deviation is not None:
            value += f" ± {self.deviation:.3g}"
        return f"{value} ({', '.join(f'{key}: {item}' for key, item in self.protocol.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Returns the score as a dict that `json.dump` takes."""
        return dataclasses.asdict(self)

    def _require_same_protocol(self, other):
        differing = [
            f"{key}: {self.protocol.get(key, 'absent')!r} against "
            f"{other.protocol.get(key, 'absent')!r}"
            for key in dict.fromkeys([*self.protocol, *other.protocol])
            if self.protocol.get(key) != other.protocol.get(key)
        ]
        if differing:
            raise ProtocolMismatchError(
                "These scores were measured differently and can't be compared. They differ in "
                + "; ".join(differing)
                + ". Measure both in the same way, or compare `.value` at your own risk."
            )
