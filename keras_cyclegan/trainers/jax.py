"""Training on JAX, where a step is a function of all state that returns the new state."""

import jax
import keras

from keras_cyclegan.trainers.step import Step


class Trainer(Step):
    """Gradients by `jax.grad`, the state in `keras.StatelessScope`s."""

    def train_step(self, state, data):
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return _stateless(super().train_step, variables, state, data)

    def test_step(self, state, data):
        variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.metrics_variables,
        )
        return _stateless(super().test_step, variables, state, data)

    def differentiate(self, objective, variables):
        changeable = self.non_trainable_variables  # of dropout and batch norm
        # A scope doesn't look into the one around it: it is given all that a loss may read.
        readable = [(v, v.value) for v in (*self.variables, *self.optimizer.variables)]

        def function(values):
            state = [*readable, *zip(variables, values, strict=True)]
            with keras.StatelessScope(state) as scope:
                value, results = objective()
            return value, (results, [scope.get_current_value(v) for v in changeable])

        gradients, (results, changed) = jax.grad(function, has_aux=True)(
            [v.value for v in variables]
        )
        _assign(changeable, changed)
        return results, gradients

    def update(self, gradients, variables):
        # `stateless_apply` wants them in the order of `trainable_variables`.
        gradient_of = {id(v): gradient for v, gradient in zip(variables, gradients, strict=True)}
        # Not `apply`: loss scaling branches on the gradients, and a branch can't assign on JAX.
        values, optimizer_values = self.optimizer.stateless_apply(
            [v.value for v in self.optimizer.variables],
            [gradient_of[id(v)] for v in self.trainable_variables],
            [v.value for v in self.trainable_variables],
        )
        _assign(self.trainable_variables, values)
        _assign(self.optimizer.variables, optimizer_values)


def _stateless(step, groups, state, data):
    """`step(data)` on the values of `state` in place of the variables' own.

    Args:
        step: function that reads and assigns variables.
        groups: lists of variables.
        state: lists of their values.
        data: a batch.

    Returns:
        What `step` returns, and the state after it.
    """
    mapping = [
        pair
        for variables, values in zip(groups, state, strict=True)
        for pair in zip(variables, values, strict=True)
    ]
    with keras.StatelessScope(mapping) as scope:
        logs = step(data)
    return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
