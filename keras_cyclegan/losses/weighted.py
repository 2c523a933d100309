"""The base of all losses: a `keras.losses.Loss` that carries its weight."""

import keras

from keras_cyclegan.arguments import check_choice


class WeightedLoss(keras.losses.Loss):
    """A loss whose config holds its `kind` and its `weight`."""

    kinds: tuple[str, ...] = ()

    def __init__(self, kind, weight, name, reduction="sum_over_batch_size", dtype="float32"):
        check_choice(self.kind_argument, kind, self.kinds)
        if not weight >= 0:
            raise ValueError(
                f"`weight` must be a number of at least 0. Received weight={weight!r}."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)
        setattr(self, self.kind_argument, kind)

    def get_config(self):
        return {
            **super().get_config(),
            self.kind_argument: getattr(self, self.kind_argument),
            "weight": self.weight,
            "dtype": self.dtype,
        }
