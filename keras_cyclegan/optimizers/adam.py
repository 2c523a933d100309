"""The paper's Adam, and its update on TensorFlow, where memory bandwidth is what it costs."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.optimizers.schedule import LinearDecay


def paper_adam(
    learning_rate: Any = None,
    clip_norm: float | None = None,
    weight_penalty: float = 0.0,
    accumulate: int = 1,
) -> keras.optimizers.Optimizer:
    """Make the authors' Adam: betas 0.5 and 0.999, epsilon 1e-8 (Keras's default is 1e-7).

    Zhu et al. 2017, section 4 and appendix 7.1. Keras adds epsilon before the moment's bias is
    corrected, torch after, which only matters for gradients of 3e-7 and less.

    Args:
        learning_rate: float or `LearningRateSchedule`. None takes `LinearDecay()`.
        clip_norm: gradients are scaled down where the norm of all together is larger. None, the
            authors' choice, leaves them as they are.
        weight_penalty: see `PenalisedAdam`.
        accumulate: steps whose gradients are averaged for one update: the same as a batch so many
            times as large, in the memory of one step.
    """
    options = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8, "global_clipnorm": clip_norm}
    options["gradient_accumulation_steps"] = accumulate if accumulate > 1 else None
    options["learning_rate"] = LinearDecay() if learning_rate is None else learning_rate
    if weight_penalty:
        return PenalisedAdam(weight_penalty=weight_penalty, **options)
    return FusedAdam(**options)


@keras.saving.register_keras_serializable("keras_cyclegan")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the same numbers in less time on TensorFlow."""

    def update_step(self, gradient, variable, learning_rate):
        fused = can_fuse(self, gradient)
        update = update_adam if fused else keras.optimizers.Adam.update_step
        update(self, gradient, variable, learning_rate)


@keras.saving.register_keras_serializable("keras_cyclegan")
class PenalisedAdam(FusedAdam):
    """Adam on a loss to which ½ · `weight_penalty` · ‖weights‖² is added.

    It equals `weight_decay` of torch's Adam, 1e-4 in U-GAT-IT (Kim et al. 2020, section 4.1). The
    `weight_decay` of Keras's optimizers is another one, AdamW's, which makes the weights smaller
    without changing the gradient.
    """

    def __init__(self, *args, weight_penalty=1e-4, **kwargs):
        if not weight_penalty >= 0:
            raise ValueError(f"`weight_penalty` must be at least 0. Received {weight_penalty=}.")
        super().__init__(*args, **kwargs)
        self.weight_penalty = weight_penalty

    def update_step(self, gradient, variable, learning_rate):
        penalty = self.weight_penalty * ops.convert_to_tensor(variable)
        super().update_step(ops.cast(gradient, variable.dtype) + penalty, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "weight_penalty": self.weight_penalty}


def can_fuse(optimizer, gradient):
    """Return whether `update_adam` computes what the optimizer's own step would."""
    if keras.backend.backend() != "tensorflow" or optimizer.amsgrad:
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy() and not isinstance(gradient, tf.IndexedSlices)


def update_adam(optimizer, gradient, variable, learning_rate):
    """Update a variable and its moments, reading each once; Keras's Adam reads a dozen times."""
    import tensorflow as tf

    # Keras has no public access to the moments of a variable.
    index = optimizer._get_variable_index(variable)
    moments = [own[index].value.handle for own in (optimizer._momentums, optimizer._velocities)]
    dtype = variable.dtype
    step = tf.cast(optimizer.iterations + 1, dtype)
    beta_1, beta_2 = (tf.constant(beta, dtype) for beta in (optimizer.beta_1, optimizer.beta_2))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=moments[0],
        v=moments[1],
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=tf.cast(learning_rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.constant(optimizer.epsilon, dtype),
        grad=tf.cast(gradient, dtype),
    )
