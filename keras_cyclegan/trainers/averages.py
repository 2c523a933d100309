"""Running averages of a network's weights, beside the weights that are trained."""

import keras
from keras import ops


def copy_network(network):
    """A network of the same class and architecture with the same weights, not to be trained."""
    # `keras.models.clone_model` would give a plain functional model.
    serialized = keras.saving.serialize_keras_object(network)
    serialized.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(serialized, safe_mode=False)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def update_average(average, network, momentum, iterations):
    """Move the average's weights towards the network's, after a training step.

    The momentum begins at 0 and rises to its value as the steps become many enough for it: what
    the average held before the first step leaves no trace in it.

    Args:
        average: what `copy_network` made of `network`.
        network: `keras.Model`, just trained.
        momentum: float below 1. Part of the average that a step keeps, in the long run.
        iterations: int scalar. Steps made, this one included.
    """
    earlier = ops.cast(iterations, "float32") - 1.0
    momentum = ops.clip(earlier / (earlier + 10.0), 0.0, momentum)
    for mean, variable in zip(average.weights, network.weights, strict=True):
        if variable.trainable:
            mean.assign(variable + ops.cast(momentum, mean.dtype) * (mean - variable))
        else:  # statistics of the data, a mean already
            mean.assign(variable)
