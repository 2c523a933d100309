"""Scores without ground truth: the error of a round trip, and how much a translation changes."""

import keras

from keras_cyclegan.scores.measured import Measured
from keras_cyclegan.scores.paired import MeanAbsoluteError
from keras_cyclegan.scores.score import Score


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class CycleError(MeanAbsoluteError):
    """Mean absolute difference between images and their reconstructions.

    |ba(ab(a)) − a|₁, on the scale of [-1, 1]: matches the numbers of the unweighted
    `CycleConsistencyLoss`, the authors' `loss_cycle_A` divided by its λ. Use one object for each
    direction. A translator that changes nothing has the lowest: read it beside `ContentChange`.

    Call arguments:
        y_true, y_pred: images and their reconstructions, as for `MeanAbsoluteError`.

    Example:

    ```python
    cycle_error = CycleError()
    cycle_error.update_state(images, model.generator_ba(model.generator_ab(images)))
    cycle_error.result()  # the mean over all images so far
    ```
    """

    default_name = "cycle_error"


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class ContentChange(MeanAbsoluteError):
    """Mean absolute difference between images and their translations.

    |ab(a) − a|₁, on the scale of [-1, 1]. Near 0, the translator returns its input; near the
    difference of two unrelated images, it ignores its input.

    Call arguments:
        y_true, y_pred: images and their translations, as for `MeanAbsoluteError`.

    Example:

    ```python
    change = ContentChange()
    photo = np.full((1, 32, 32, 3), 100, "uint8")
    change.update_state(photo, model.translate(photo))
    float(change.result()) > 0.03  # else it hardly changes anything
    ```
    """

    default_name = "content_change"


def measure(setting):
    """Average the cycle error and the content change of each direction."""
    for direction, trip in setting.round_trips.items():
        for name, better, values in (
            ("Cycle error", "lower", trip.cycle_error),
            ("Content change", None, trip.content_change),
        ):
            if values is not None:
                protocol = setting.protocol(name, len(values), unit="0 to 2")
                protocol["translations"] = "not rounded"
                yield Measured(name, direction, better, Score(float(values.mean()), protocol))
