"""Running averages of a network's weights."""

import keras
from keras import ops


def copy_network(network):
    """Make a network of the same class, which isn't trainable, for weights that are set later."""
    # `keras.models.clone_model` would give a plain functional model.
    serialized = keras.saving.serialize_keras_object(network)
    serialized.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(serialized, safe_mode=False)
    copy.trainable = False
    return copy


def update_average(average, network, momentum, iterations):
    """Move the weights of a copy towards those of `network`, after step `iterations`.

    `momentum` is the fraction of the average that a step keeps; it starts at 0 and rises to its
    value over the first steps, so that the weights before training have no effect.
    """
    earlier = ops.cast(iterations, "float32") - 1.0
    momentum = ops.clip(earlier / (earlier + 10.0), 0.0, momentum)
    for mean, variable in zip(average.weights, network.weights, strict=True):
        if variable.trainable:
            mean.assign(variable + ops.cast(momentum, mean.dtype) * (mean - variable))
        else:  # statistics of batch norms, which are averages already
            mean.assign(variable)
