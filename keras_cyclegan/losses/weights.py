"""The weights of losses: checked, saved with the loss, and falling while a model trains."""

import keras

from keras_cyclegan.arguments import Configured, check_weight
from keras_cyclegan.optimizers import LinearDecay


class WeightedLoss(Configured, keras.losses.Loss):
    """A loss of Keras with a weight."""

    def __init__(self, weight, name=None, reduction="sum_over_batch_size", dtype="float32"):
        check_weight("weight", weight)
        super().__init__(name=name or self.default_name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}


@keras.saving.register_keras_serializable("keras_cyclegan")
class WeightSchedule(LinearDecay):
    """A factor of a loss's weight that starts at 1 and falls in a straight line.

    Wang and Lin 2018, "CycleGAN with Better Cycles": later in training the cycle loss prevents
    changes that look right but can't be undone, so that it is made weak, but not 0: without it
    nothing ties a translation to its image. Validation always takes the full weight, so that epochs
    can be compared.

    Args:
        final: float of at least 0. The factor at the end.
        constant_steps, decay_steps, decay_epochs: as in `LinearDecay`; without these it falls in
            all epochs of `fit`.
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

    @property
    def final(self) -> float:
        return self.final_learning_rate
