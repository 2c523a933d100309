"""Scores that need no ground truth: what a round trip loses, and how much a translation changes."""

import keras

from keras_cyclegan.metrics.paired import MeanAbsoluteError


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class CycleError(MeanAbsoluteError):
    """Mean absolute difference between images and their reconstructions.

    |ba(ab(a)) − a|₁, on the scale of [-1, 1]: matches the numbers of the unweighted
    `CycleConsistencyLoss`, the authors' `loss_cycle_A` divided by its λ. One object a direction.

    Low alone says little: a translator that changes nothing has none. Read it beside
    `ContentChange`.

    Args:
        name: string, `"cycle_error"` by default.
        dtype: the dtype of the sum.

    Call arguments:
        y_true: images, `(batch, height, width, channels)`: uint8, or floats in [-1, 1].
        y_pred: their reconstructions, the same shape.

    Example:

    >>> import numpy as np
    >>> cycle_error_a = CycleError(name="cycle_error_a")
    >>> cycle_error_a.update_state(np.zeros((1, 8, 8, 3)), np.full((1, 8, 8, 3), 0.5))
    >>> float(cycle_error_a.result())
    0.5
    """

    default_name = "cycle_error"


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class ContentChange(MeanAbsoluteError):
    """Mean absolute difference between images and their translations.

    |ab(a) − a|₁, on the scale of [-1, 1]; matches `keras.metrics.MeanAbsoluteError`. Near 0, the
    translator returns its input; near the difference of two unrelated images, it ignores it.

    Args:
        name: string, `"content_change"` by default.
        dtype: the dtype of the sum.

    Call arguments:
        y_true: images, `(batch, height, width, channels)`: uint8, or floats in [-1, 1].
        y_pred: their translations, the same shape: domains that differ in channels have no
            content change.
    """

    default_name = "content_change"
