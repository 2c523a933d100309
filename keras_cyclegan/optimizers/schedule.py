"""The paper's learning rate."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_cyclegan.arguments import Tensor, own_config

LEARNING_RATE = 2e-4  # Zhu et al. 2017, section 4
NEVER = 2**31 - 1  # the largest step that an int32 counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays constant, then falls in a straight line.

    Zhu et al. 2017, section 4: 2e-4 for 100 epochs, then to zero over the next 100.

    Without `decay_steps` the schedule is open: `CycleGAN.fit` counts its steps and sets when the
    rate falls, in a variable. Before `fit`, and in any other model, the rate is constant.

    Args:
        initial_learning_rate: the constant rate.
        constant_steps: step at which the rate begins to fall.
        decay_steps: steps in which it falls. None: `fit` sets them.
        decay_epochs: epochs at the end of `fit` in which the rate falls. None: half of all.
        final_learning_rate: the rate after the fall.
        held_steps: first steps, in which the rate is 0: for generators that wait until new
            discriminators have learned something. Adam's moments are taken all the same.
    """

    falling_part = 0.5  # of the steps of `fit`, where nothing else is asked for

    def __init__(
        self,
        initial_learning_rate: float = LEARNING_RATE,
        constant_steps: int = 0,
        decay_steps: int | None = None,
        decay_epochs: int | None = None,
        final_learning_rate: float = 0.0,
        held_steps: int = 0,
    ) -> None:
        super().__init__()
        given = f"{constant_steps=}, {decay_steps=}, {decay_epochs=}, {held_steps=}"
        fall = 1 if decay_steps is None else decay_steps
        if fall < 1 or min(constant_steps, decay_epochs or 0, held_steps) < 0:
            raise ValueError(f"A number of steps or epochs is too small. Received {given}.")
        if (decay_steps is None and constant_steps) or None not in (decay_steps, decay_epochs):
            raise ValueError(
                "`constant_steps` needs `decay_steps`, which fixes the fall; `decay_epochs` leaves "
                f"both to `fit`. Received {given}."
            )
        self.initial_learning_rate = initial_learning_rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps
        self.decay_epochs = decay_epochs
        self.final_learning_rate = final_learning_rate
        self.held_steps = held_steps
        self.variable: Any = None

    @property
    def is_open(self):
        """Whether `CycleGAN.fit` sets the steps."""
        return self.decay_steps is None

    def follow_epochs(self, steps_per_epoch: int, epochs: int, earlier_steps: int = 0) -> Any:
        """Set the steps of a training after `earlier_steps`: constant first, then falling.

        Where the data can't tell, `steps_per_epoch` is None, for a constant rate.
        """
        if steps_per_epoch is None:
            constant, decay = NEVER, 1
        else:
            total = steps_per_epoch * epochs
            decay = int(total * self.falling_part)
            if self.decay_epochs is not None:
                decay = min(self.decay_epochs * steps_per_epoch, total)
            constant = earlier_steps + total - decay
        self.variable.assign([constant, max(1, decay)])

    def __call__(self, step: Any) -> Tensor:
        rate = self._falling(step)
        return rate * ops.cast(step >= self.held_steps, "float32") if self.held_steps else rate

    def _falling(self, step):
        if not self.is_open:
            constant, decay = self.constant_steps, self.decay_steps
        elif self.variable is not None:
            constant, decay = self.variable[0], self.variable[1]
        else:
            return ops.convert_to_tensor(self.initial_learning_rate, "float32")
        past = ops.cast(ops.cast(step, "int32") - constant, "float32")
        fallen = self.curve(ops.clip(past / ops.cast(decay, "float32"), 0.0, 1.0))
        return self.initial_learning_rate * (1.0 - fallen) + self.final_learning_rate * fallen

    def curve(self, part):
        """Return how much of the fall is done after a part of its steps, both from 0 to 1."""
        return part

    def get_config(self) -> dict[str, Any]:
        return own_config(self)


@keras.saving.register_keras_serializable("keras_cyclegan")
class CosineDecay(LinearDecay):
    """A `LinearDecay` that falls as half a cosine (Loshchilov and Hutter 2017), in all of `fit`.

    Args:
        initial_learning_rate, constant_steps, decay_steps: as in `LinearDecay`.
        decay_epochs, final_learning_rate, held_steps: the same.
    """

    falling_part = 1.0

    def curve(self, part):
        return (1.0 - ops.cos(np.pi * part)) / 2.0
