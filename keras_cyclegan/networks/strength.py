"""How much a generator changes its input: a factor of what it adds, without training."""

import math

from keras_cyclegan.layers import InputSkip


def strengthen(generator, factor):
    """Multiply what a generator adds to its input by `factor`: the weights of its last layer.

    Raises:
        ValueError: the generator has no skip from its input, or the factor is no positive number.
    """
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
