"""Generators whose norms have fixed statistics: any part of an image gives the same pixels."""

import keras
import numpy as np

from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.tile_plan import is_instance_norm
from keras_cyclegan.inference.tiles import frozen, translate_together
from keras_cyclegan.layers import FrozenNormalization

TILE = 256  # of the samples, as they are processed


def freeze(generator, images):
    """Return a copy of a generator whose instance norms have the statistics of images together.

    Args:
        generator: functional `keras.Model` of convolutions, activations and instance norms.
        images: list of `(height, width, channels)`, uint8, or float32 in [-1, 1].

    Raises:
        ValueError: the generator can't be tiled, see `tile_plan.plan`; or has no instance norm.
    """
    run = runner(generator)
    side = max(TILE // run.rule.smallest, 1) * run.rule.smallest
    _, statistics = translate_together(run, images, (side, side), np.asarray)
    if not statistics:
        raise ValueError(f"The generator {generator.name!r} has no instance norm to freeze.")

    def copy(layer):
        if is_instance_norm(layer):
            return FrozenNormalization(name=layer.name, dtype=layer.dtype_policy)
        return type(layer).from_config(layer.get_config())

    cloned = keras.models.clone_model(generator, clone_function=copy)
    for layer in generator.layers:
        if is_instance_norm(layer):
            cloned.get_layer(layer.name).set_weights(frozen(layer, statistics[id(layer.input)]))
        else:
            cloned.get_layer(layer.name).set_weights(layer.get_weights())
    cloned.name = generator.name
    return cloned
