"""The paper's learning rate."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor

LEARNING_RATE = 2e-4  # Zhu et al. 2017, section 4
NEVER = 2**31 - 1  # the largest step that an int32 counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays constant, then falls in a straight line.

    Zhu et al. 2017, section 4: 2e-4 for 100 epochs, then to zero over the next 100.

    Without `decay_steps` the schedule is open: `CycleGAN.fit` counts its steps and sets when the
    rate falls. That is held in a variable, so that another `fit` needs no new graph. Before `fit`,
    and in any other model, the rate of an open schedule is constant.

    Args:
        initial_learning_rate: float, 2e-4 by default. The constant rate.
        constant_steps: int, 0 by default. Step at which the rate begins to fall.
        decay_steps: int. Number of steps in which it falls; after them it stays constant. None,
            the default: `fit` sets the steps.
        decay_epochs: int. Number of epochs at the end of `fit` in which the rate falls. None, the
            default: half of all epochs.
        final_learning_rate: float, 0 by default. The rate after the fall.

    Call arguments:
        step: int scalar.

    Returns:
        The rate, a float32 scalar.

    Raises:
        ValueError: a number is too small, or two arguments contradict each other.

    Example:

    ```python
    steps = 1334  # an epoch of horse2zebra at batch size 1
    schedule = LinearDecay(2e-4, constant_steps=100 * steps, decay_steps=100 * steps)
    float(schedule(150 * steps))  # 1e-4
    ```
    """

    falling_part = 0.5  # of the steps of `fit`, where nothing else is asked for

    def __init__(
        self,
        initial_learning_rate: float = LEARNING_RATE,
        constant_steps: int = 0,
        decay_steps: int | None = None,
        decay_epochs: int | None = None,
        final_learning_rate: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("constant_steps", constant_steps, 0),
            ("decay_steps", decay_steps, 1),
            ("decay_epochs", decay_epochs, 0),
        ):
            if value is not None and value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {name}={value}.")
        if decay_steps is None and constant_steps:
            raise ValueError(
                "`constant_steps` goes with `decay_steps`: give both, or neither and `fit` sets "
                f"them. Received constant_steps={constant_steps}."
            )
        if decay_steps is not None and decay_epochs is not None:
            raise ValueError(
                "`decay_steps` fixes the fall; `decay_epochs` leaves its steps to `fit`. Received "
                f"decay_steps={decay_steps} and decay_epochs={decay_epochs}. Give one of them."
            )
        self.initial_learning_rate = initial_learning_rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps
        self.decay_epochs = decay_epochs
        self.final_learning_rate = final_learning_rate
        self.variable: Any = None

    @property
    def is_open(self):
        """Whether `CycleGAN.fit` sets the steps."""
        return self.decay_steps is None

    def follow_epochs(self, steps_per_epoch: int, epochs: int, earlier_steps: int = 0) -> Any:
        """Set the steps: constant first, then falling; Zhu et al. 2017, section 4.

        Args:
            steps_per_epoch: int; None where the data can't tell, for a constant rate.
            epochs: int. Epochs of the whole training.
            earlier_steps: int. Steps that were made before this training.
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
        if not self.is_open:
            constant, decay = self.constant_steps, self.decay_steps
        elif self.variable is not None:
            constant, decay = self.variable[0], self.variable[1]
        else:
            return ops.convert_to_tensor(self.initial_learning_rate, "float32")
        past = ops.cast(ops.cast(step, "int32") - constant, "float32")
        fallen = ops.clip(past / ops.cast(decay, "float32"), 0.0, 1.0)
        return self.initial_learning_rate * (1.0 - fallen) + self.final_learning_rate * fallen

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
            "decay_epochs": self.decay_epochs,
            "final_learning_rate": self.final_learning_rate,
        }
