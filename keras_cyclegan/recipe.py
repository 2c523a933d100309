"""The paper's recipe: Adam, and a rate that is constant for half of the epochs and then falls."""

import math
import warnings

import keras

from keras_cyclegan.optimizers import LinearDecay

LEARNING_RATE = 2e-4


def adam(learning_rate, clip_norm=None):
    """Adam with the authors' settings: betas 0.5 and 0.999, epsilon 1e-8 (Keras's default is 1e-7).

    Keras adds epsilon before the moment's bias is corrected, torch after: in the first step it acts
    as 3e-7, after a few thousand as 1e-8. Only gradients as small as that notice.

    Args:
        learning_rate: float or `LearningRateSchedule`.
        clip_norm: float. Largest norm of all gradients together; None, the authors': any.
    """
    return keras.optimizers.Adam(
        learning_rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8, global_clipnorm=clip_norm
    )


def optimizer(given):
    """What `given` names, or the paper's Adam, whose rate `fit` lets fall."""
    if given is None:
        # Constant until `fit` knows the number of steps.
        return adam(LinearDecay(LEARNING_RATE, constant_steps=2**31 - 1))
    return keras.optimizers.get(given)


def schedule(steps, epochs, initial_epoch, iterations):
    """Constant for the first half of `epochs`, linear to 0 over the second; Zhu et al., section 4.

    Args:
        steps: int. Steps of an epoch; None where the data can't tell.
        epochs: int. Epochs of this `fit`.
        initial_epoch: int. The first of them.
        iterations: int. Steps that the optimizer has made before.

    Returns:
        A `LinearDecay`, or None where `steps` is None.
    """
    if steps is None:
        warnings.warn(
            "The data doesn't tell how many batches it has: the learning rate stays constant. "
            "Give `fit` `steps_per_epoch`, and it falls over the second half of the epochs.",
            stacklevel=4,
        )
        return None
    # Whole epochs of earlier calls of `fit`; a run that goes on has none.
    earlier = max(0, iterations // steps - initial_epoch)
    return LinearDecay(
        LEARNING_RATE,
        constant_steps=earlier * steps + (epochs * steps + 1) // 2,
        decay_steps=max(1, epochs * steps // 2),
    )


def count_steps(data, batch_size=None, steps_per_epoch=None, validation_split=0.0):
    """Steps of an epoch of `fit`, or None where the data can't tell."""
    if steps := getattr(data, "steps_per_epoch", None) or steps_per_epoch:
        return steps
    if hasattr(data, "shape"):
        images = math.floor(len(data) * (1 - validation_split))
        return math.ceil(images / (batch_size or 32))
    try:
        count = data.num_batches if isinstance(data, keras.utils.PyDataset) else len(data)
    except TypeError:
        return None
    return count if count and count > 0 else None
