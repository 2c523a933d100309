"""The paper's Adam, its schedule, and an optimizer that combines two."""

import warnings
from typing import Any

import keras
from keras import ops

from keras_cyclegan.adam import FusedAdam, PenalisedAdam
from keras_cyclegan.arguments import Tensor

__all__ = ["LinearDecay", "paper_adam"]

LEARNING_RATE = 2e-4  # Zhu et al. 2017, section 4


def paper_adam(
    learning_rate: Any = None,
    clip_norm: float | None = None,
    weight_penalty: float = 0.0,
    accumulate: int = 1,
) -> keras.optimizers.Optimizer:
    """Make the authors' Adam: betas 0.5 and 0.999, epsilon 1e-8 (Keras's default is 1e-7).

    Zhu et al. 2017, section 4 and appendix 7.1. Keras adds epsilon before the moment's bias is
    corrected, torch after: in the first step it acts as 3e-7, after a few thousand as 1e-8. This
    only matters for gradients as small as that.

    Args:
        learning_rate: float or `LearningRateSchedule`. None, the default, takes `LinearDecay()`:
            2e-4, which falls over the second half of `CycleGAN.fit`.
        clip_norm: float. Gradients are scaled down where the norm of all together is larger. None,
            the default and the authors' choice, leaves them as they are.
        weight_penalty: float, 0 by default, the authors' choice; see `PenalisedAdam`.
        accumulate: int, 1 by default. Steps whose gradients are averaged for one update: the same
            as a batch so many times as large, in the memory of one step.

    Returns:
        A `keras.optimizers.Adam`.

    Example:

    ```python
    slower = LinearDecay(5e-5, decay_epochs=20)
    model.compile(paper_adam(clip_norm=1.0), paper_adam(slower, clip_norm=1.0))
    ```
    """
    if learning_rate is None:
        learning_rate = LinearDecay()
    options = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8, "global_clipnorm": clip_norm}
    options["gradient_accumulation_steps"] = accumulate if accumulate > 1 else None
    if weight_penalty:
        return PenalisedAdam(learning_rate, weight_penalty=weight_penalty, **options)
    return FusedAdam(learning_rate, **options)


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


NEVER = 2**31 - 1  # the largest step that an int32 counts


class AdversarialOptimizer(keras.optimizers.MultiOptimizer):
    """One optimizer for the generators and one for the discriminators, as a single Keras optimizer.

    `CycleGAN.compile` makes it, so that Keras saves, resumes and scales both as it does any other.
    Variables are recognised by identity, because two functional networks can have equal paths.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_variables: the variables that `discriminator_optimizer` trains.
        weight_schedules: list of `LinearDecay` objects of the losses' weights, whose steps `fit`
            sets as those of the rates.
    """

    def __init__(
        self,
        generator_optimizer,
        discriminator_optimizer,
        discriminator_variables,
        weight_schedules=(),
    ):
        owned = {id(variable) for variable in discriminator_variables}
        super().__init__(
            lambda variable: (
                discriminator_optimizer if id(variable) in owned else generator_optimizer
            ),
            name="adversarial_optimizer",
        )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # Keras gives an optimizer's current rate, not its schedule: `_learning_rate` is the hook.
        rates = [
            vars(o).get("_learning_rate") for o in (generator_optimizer, discriminator_optimizer)
        ]
        open_ones = [
            [s for s in some if isinstance(s, LinearDecay) and s.is_open]
            for some in (rates, weight_schedules)
        ]
        self.rate_schedules = open_ones[0]
        self.schedules = [*open_ones[0], *open_ones[1]]

    def build(self, variables):
        if not self.built:
            for schedule in self.schedules:
                # An optimizer's variable, because on JAX a step knows no others.
                schedule.variable = self.add_variable((2,), dtype="int32", name="schedule")
                schedule.follow_epochs(None, 1)
        super().build(variables)

    def follow_epochs(self, steps_per_epoch, epochs, initial_epoch=0):
        """Set the steps of the open schedules for one `fit`.

        Args:
            steps_per_epoch: int, or None where the data can't tell.
            epochs: int. Epochs of the whole training.
            initial_epoch: int. The first of them that is still to be made.
        """
        earlier = 0
        if steps_per_epoch is None:
            warnings.warn(
                "The number of batches in the data is unknown, so that the schedules stay "
                "constant: the learning rate doesn't fall. Give `fit` `steps_per_epoch`.",
                stacklevel=3,
            )
        else:  # whole epochs of earlier calls of `fit`; 0 in a run that is resumed
            done = int(ops.convert_to_numpy(self.iterations)) // steps_per_epoch
            earlier = max(0, done - initial_epoch) * steps_per_epoch
        for schedule in self.schedules:
            schedule.follow_epochs(steps_per_epoch, epochs, earlier)

    @property
    def learning_rate(self):
        """The generators' learning rate; setting it sets the discriminators' too."""
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.generator_optimizer.learning_rate = value
        self.discriminator_optimizer.learning_rate = value

    # Keras saves both optimizers on their own; `MultiOptimizer` would save their variables again.
    def save_own_variables(self, store):
        for i, variable in enumerate(self._own_variables()):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        for i, variable in enumerate(self._own_variables()):
            variable.assign(store[str(i)])

    def _own_variables(self):
        return [self.iterations, *(schedule.variable for schedule in self.schedules)]


def without_loss_scaling(optimizer):
    """Return the `AdversarialOptimizer` that Keras wraps under mixed_float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def gradient_measures(optimizer, generator_gradients, discriminator_gradients):
    """Compute the global norms of both lists of gradients before clipping, and the loss scale.

    Args:
        optimizer: the one that will apply the gradients.
        generator_gradients: list of tensors, of a loss that `optimizer.scale_loss` scaled.
        discriminator_gradients: list of tensors, likewise.

    Returns:
        float32 scalars by `measure_names`; not finite in a step that loss scaling skips.
    """
    scale = ops.cast(optimizer.scale_loss(1.0), "float32")
    norms = [_global_norm(g) / scale for g in (generator_gradients, discriminator_gradients)]
    return dict(zip(measure_names(optimizer), [*norms, scale], strict=False))


def measure_names(optimizer):
    """Return the names of `gradient_measures`; the scale only under mixed_float16."""
    names = ["gradient_norm_generators", "gradient_norm_discriminators"]
    moves = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return [*names, "loss_scale"] if moves else names


def _global_norm(gradients):
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
    return ops.sqrt(sum(squares))
