"""The weights of losses: checked, saved with the loss, and falling while a model trains."""

import keras

from keras_cyclegan.optimizers import LinearDecay


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


@keras.saving.register_keras_serializable("keras_cyclegan")
class WeightSchedule(LinearDecay):
    """A factor of a loss's weight that starts at 1 and falls in a straight line.

    Wang and Lin 2018, "CycleGAN with Better Cycles": later in training the cycle loss prevents
    changes that look right but can't be undone, so that it is made weak, but not 0: without it
    nothing ties a translation to its image. Validation always takes the full weight, so that epochs
    can be compared.

    Args:
        final: float of at least 0, 0.1 by default. The factor at the end.
        constant_steps: int, 0 by default. Step at which the factor begins to fall.
        decay_steps: int. Number of steps in which it falls. None, the default: `fit` sets them.
        decay_epochs: int. Number of epochs at the end of `fit` in which it falls. None, the
            default: all epochs.

    Example:

    ```python
    model.compile(cycle_loss="l1", cycle_schedule=WeightSchedule(0.1))  # λ from 10 to 1
    WeightSchedule(0.1, decay_steps=1000)(500)  # 0.55
    ```
    """

    falling_part = 1.0

    def __init__(
        self,
        final: float = 0.1,
        constant_steps: int = 0,
        decay_steps: int | None = None,
        decay_epochs: int | None = None,
    ) -> None:
        check_weight("final", final)
        super().__init__(1.0, constant_steps, decay_steps, decay_epochs, float(final))

    def get_config(self):
        config = super().get_config()
        del config["initial_learning_rate"], config["held_steps"]
        return {"final": config.pop("final_learning_rate"), **config}
