"""A skip connection from a network's input to the input of its last tanh, and how much it adds."""

import math

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class InputSkip(keras.layers.Layer):
    """Adds an image to the input of a tanh, so that the tanh gives the image back.

    `tanh(h + artanh(0.98 · image))` is the image, 2 % nearer to gray, where the network's output h
    is 0; where h is large, h decides. Unlike a gate it passes the whole gradient on to h. It is
    called with a list of h and the images in [-1, 1], `(batch, height, width, channels)` each.
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def call(self, inputs: Tensor) -> Tensor:
        change, images = inputs
        # Images that overshoot [-1, 1] a little, as after a bicubic resize, stay finite.
        shrunk = ops.clip(0.98 * images, -0.99, 0.99)
        return change + 0.5 * (ops.log(1.0 + shrunk) - ops.log(1.0 - shrunk))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def strengthen(generator, factor):
    """Multiply what a generator adds to its input by `factor`: the weights of its last layer."""
    if not (isinstance(factor, (int, float)) and 0 < factor < math.inf):
        raise ValueError(f"A strength is a number above 0. Received {factor!r}.")
    made_by = {id(step.output): step for step in getattr(generator, "operations", ())}
    skips = [step for step in made_by.values() if isinstance(step, InputSkip)]
    heads = [made_by.get(id(skip.input[0])) for skip in skips]
    if len(heads) != 1 or not getattr(heads[0], "weights", None):
        raise ValueError(
            f"{generator.name} has no skip from its input, by which it would add a change: its "
            "strength can't be set. Generators with `input_skip` and `FeatureGenerator` have one."
        )
    heads[0].set_weights([factor * weights for weights in heads[0].get_weights()])
