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
