"""The base of all losses: a `keras.losses.Loss` that carries its weight."""

import keras


class WeightedLoss(keras.losses.Loss):
    """A loss whose config holds the arguments that `saved` names."""

    saved: tuple[str, ...] = ("weight",)

    def __init__(self, weight, name=None, reduction="sum_over_batch_size", dtype="float32"):
        check_weight("weight", weight)
        super().__init__(name=name or self.default_name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)

    def get_config(self):
        own = {name: getattr(self, name) for name in self.saved}
        return {**super().get_config(), **own, "dtype": self.dtype}


def check_weight(argument, value):
    """Raise a ValueError for a negative number, or NaN."""
    if not value >= 0:
        raise ValueError(
            f"`{argument}` must be a number of at least 0. Received {argument}={value!r}."
        )


def check_every(value):
    """Raise a ValueError if the number of steps from one computation to the next is no count."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"`every` must be an int of at least 1. Received every={value!r}.")
