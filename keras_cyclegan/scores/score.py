"""A score together with how it was measured."""

import dataclasses
import functools
import operator
from typing import Any


class ProtocolMismatchError(ValueError):
    """Raised when scores that were measured in different ways are compared.

    The message says what differs. Measure both in one way, or compare their `value`.
    """


@functools.total_ordering
@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A score that can only be compared with scores measured in the same way.

    FID and KID depend on the extractor, on how images are resized and on how many there are: `==`,
    `<`, `-` and the like raise `ProtocolMismatchError` unless all of that is equal.

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

    # Comparing may raise, which a dict must not do with its keys.
    __hash__ = None  # type: ignore[assignment]

    def __float__(self) -> float:
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
        differing = [
            f"{key}: {self.protocol.get(key, 'absent')!r} against "
            f"{other.protocol.get(key, 'absent')!r}"
            for key in dict.fromkeys([*self.protocol, *other.protocol])
            if self.protocol.get(key) != other.protocol.get(key)
        ]
        if differing:
            raise ProtocolMismatchError(
                f"These scores were measured differently: they differ in {'; '.join(differing)}. "
                "Measure both in the same way, or compare `.value` at your own risk."
            )
        return compare(self.value, other.value)
