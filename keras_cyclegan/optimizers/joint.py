"""The optimizers of generators and discriminators, as one."""

import keras
from keras import ops


class AdversarialOptimizer(keras.optimizers.MultiOptimizer):
    """One optimizer for the generators and one for the discriminators, as a single Keras optimizer.

    `CycleGAN.compile` makes it, so that Keras saves, resumes and scales both as it does any other.
    """

    def __init__(self, generator_optimizer, discriminator_optimizer, discriminator_variables):
        # By identity, because two functional networks can have equal paths.
        owned = {id(variable) for variable in discriminator_variables}
        players = generator_optimizer, discriminator_optimizer
        super().__init__(lambda v: players[id(v) in owned], name="adversarial_optimizer")
        self.generator_optimizer, self.discriminator_optimizer = players
        # Keras gives an optimizer's current rate, not its schedule: `_learning_rate` is the hook.
        rates = [vars(optimizer).get("_learning_rate") for optimizer in players]
        self.rate_schedules = [rate for rate in rates if getattr(rate, "is_open", False)]

    def build(self, variables):
        if not self.built:
            for schedule in self.rate_schedules:
                # An optimizer's variable, because on JAX a step knows no others.
                schedule.variable = self.add_variable((2,), dtype="int32", name="schedule")
                schedule.follow_epochs(None, 1)
        super().build(variables)

    @property
    def learning_rate(self):
        """The generators' rate; setting it sets the discriminators' too."""
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
        return [self.iterations, *(schedule.variable for schedule in self.rate_schedules)]


def without_loss_scaling(optimizer):
    """Return the `AdversarialOptimizer` that Keras wraps under mixed_float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def gradient_measures(optimizer, generator_gradients, discriminator_gradients):
    """Return the global norms of gradients, and the loss scale; not finite in a skipped step."""

    def norm(gradients):
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients if g is not None]
        return ops.sqrt(sum(squares))

    scale = ops.cast(optimizer.scale_loss(1.0), "float32")
    norms = [norm(generator_gradients) / scale, norm(discriminator_gradients) / scale]
    return dict(zip(measure_names(optimizer), [*norms, scale], strict=False))


def measure_names(optimizer):
    """Return the names of `gradient_measures`; the scale only under mixed_float16."""
    names = ["gradient_norm_generators", "gradient_norm_discriminators"]
    moves = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return [*names, "loss_scale"] if moves else names
