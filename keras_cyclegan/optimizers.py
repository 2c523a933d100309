"""The paper's learning rate, and one optimizer made of two."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_cyclegan")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays constant, then falls in a straight line to 0.

    Zhu et al. 2017, section 4: 2e-4 for 100 epochs, then to zero over the next 100.

    Args:
        initial_learning_rate: float. The constant rate.
        constant_steps: int. Step at which the fall begins.
        decay_steps: int. Steps until the rate is 0; it stays 0 from there on.

    Example:

    ```python
    steps = 1334  # an epoch of horse2zebra at batch size 1
    schedule = LinearDecay(2e-4, constant_steps=100 * steps, decay_steps=100 * steps)
    ```
    """

    def __init__(self, initial_learning_rate=2e-4, constant_steps=0, decay_steps=1):
        super().__init__()
        if constant_steps < 0 or decay_steps < 1:
            raise ValueError(
                "`constant_steps` must be at least 0 and `decay_steps` at least 1. Received "
                f"constant_steps={constant_steps}, decay_steps={decay_steps}."
            )
        self.initial_learning_rate = initial_learning_rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        past = ops.cast(step, "float32") - self.constant_steps
        return self.initial_learning_rate * (1.0 - ops.clip(past / self.decay_steps, 0.0, 1.0))

    def get_config(self):
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
        }


class AdversarialOptimizer(keras.optimizers.MultiOptimizer):
    """One optimizer for the generators and one for the discriminators, as a single Keras optimizer.

    `CycleGAN.compile` makes it, so that Keras saves, resumes and scales both as it does any other.
    Variables are told apart by identity: the paths of two functional networks can be equal.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_variables: the variables that `discriminator_optimizer` trains.
    """

    def __init__(self, generator_optimizer, discriminator_optimizer, discriminator_variables):
        owned = {id(variable) for variable in discriminator_variables}
        super().__init__(
            lambda variable: (
                discriminator_optimizer if id(variable) in owned else generator_optimizer
            ),
            name="adversarial_optimizer",
        )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    @property
    def learning_rate(self):
        """The generators' learning rate; setting it sets the discriminators' too."""
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.generator_optimizer.learning_rate = value
        self.discriminator_optimizer.learning_rate = value

    # `MultiOptimizer.variables` contains those of both optimizers, which Keras saves by themselves.
    def save_own_variables(self, store):
        store["iterations"] = ops.convert_to_numpy(self.iterations)

    def load_own_variables(self, store):
        self.iterations.assign(store["iterations"])


def gradient_measures(optimizer, generator_gradients, discriminator_gradients):
    """Global norms of both lists of gradients before clipping and, if it moves, the loss scale.

    Args:
        optimizer: the one that will apply the gradients.
        generator_gradients: list of tensors, scaled as `optimizer.scale_loss` scales.
        discriminator_gradients: the same.

    Returns:
        float32 scalars by name; not finite in a step that loss scaling leaves out.
    """
    scale = ops.cast(optimizer.scale_loss(1.0), "float32")
    norms = [_global_norm(g) / scale for g in (generator_gradients, discriminator_gradients)]
    return dict(zip(measure_names(optimizer), [*norms, scale], strict=False))


def measure_names(optimizer):
    """What `gradient_measures` gives; the scale only where it moves, under mixed_float16."""
    names = ["gradient_norm_generators", "gradient_norm_discriminators"]
    moves = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return [*names, "loss_scale"] if moves else names


def _global_norm(gradients):
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
    return ops.sqrt(sum(squares))
