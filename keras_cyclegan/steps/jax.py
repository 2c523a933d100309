"""Training on JAX, where a step is a function of all state that returns the new state."""

import functools

import jax
import keras

from keras_cyclegan.steps.base import BaseTrainer


def keras_step(step):
    """Return `step(self, data)` in the form in which Keras calls it: `step(self, state, data)`.

    It returns the step's result and the new state. `state` is a tuple of the values of trainable
    variables, other variables, in training the optimizer's variables, and the metrics' variables.
    """

    @functools.wraps(step)
    def step_on_state(self, state, data):
        groups = [self.trainable_variables, self.non_trainable_variables]
        groups += [self.optimizer.variables] if len(state) == 4 else []
        groups.append(self.metrics_variables)
        values = zip(groups, state, strict=True)
        mapping = [pair for group in values for pair in zip(*group, strict=True)]
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            logs = step(self, data)
        return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)

    return step_on_state


class Trainer(BaseTrainer):
    """Gradients by `jax.grad`, with the state in `keras.StatelessScope`s."""

    def differentiate(self, objective, variables):
        changeable = self.non_trainable_variables  # seeds of dropout, statistics of batch norm
        # An inner scope doesn't see the outer one's values: it is given all that a loss may read.
        readable = [(v, v.value) for v in (*self.variables, *self.optimizer.variables)]

        def function(values):
            state = [*readable, *zip(variables, values, strict=True)]
            with keras.StatelessScope(state, collect_losses=True) as scope:
                losses, results = objective()
                total = self.optimizer.scale_loss(sum(losses.values()))
            return total, (losses, results, [scope.get_current_value(v) for v in changeable])

        values = [v.value for v in variables]
        gradients, (losses, results, changed) = jax.grad(function, has_aux=True)(values)
        _assign(changeable, changed)
        return losses, results, gradients

    def input_gradient(self, function, images):
        return jax.grad(function)(images)

    def apply(self, gradients, variables):
        # `stateless_apply` needs them in the order of `trainable_variables`.
        gradient_of = {id(v): gradient for v, gradient in zip(variables, gradients, strict=True)}
        # Not `apply`: loss scaling branches on the gradients, and a branch can't assign on JAX.
        values, optimizer_values = self.optimizer.stateless_apply(
            [v.value for v in self.optimizer.variables],
            [gradient_of[id(v)] for v in self.trainable_variables],
            [v.value for v in self.trainable_variables],
        )
        _assign(self.trainable_variables, values)
        _assign(self.optimizer.variables, optimizer_values)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
