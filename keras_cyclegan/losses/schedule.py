"""A weight that changes while a model trains."""

import keras

from keras_cyclegan.optimizers import LinearDecay


@keras.saving.register_keras_serializable("keras_cyclegan")
class WeightSchedule(LinearDecay):
    """Factor of a loss's weight: 1 at first, from where it falls in a straight line.

    Wang and Lin 2018, "CycleGAN with Better Cycles": early on, a strong cycle keeps the
    generators from mapping images to whatever fools the discriminators; later it holds back what
    would look right and can't be undone. Weak at the end, it mustn't vanish: without a cycle the
    generators are free again.

    Without `decay_steps` the schedule is open, as that of the learning rate is: it falls over all
    steps of `CycleGAN.fit`, which sets them, or over the last `decay_epochs`. They are held by a
    variable, so that no step is traced anew. Validation measures with the full weight: its epochs
    can be compared.

    Args:
        final: float of at least 0. The factor at the end.
        constant_steps: int. Step at which the fall begins.
        decay_steps: int. Steps of the fall. None: set by `fit`.
        decay_epochs: int. Last epochs of `fit`, in which the factor falls. None: all of them.

    Call arguments:
        step: int scalar.

    Returns:
        The factor, a float32 scalar.

    Raises:
        ValueError: `final` is negative; for the steps see `LinearDecay`.

    Example:

    ```python
    model.compile(cycle_loss="l1", cycle_schedule=WeightSchedule(0.1))  # λ from 10 to 1
    float(WeightSchedule(0.1, decay_steps=1000)(500))  # 0.55
    ```
    """

    falling_part = 1.0

    def __init__(self, final=0.1, constant_steps=0, decay_steps=None, decay_epochs=None):
        if not final >= 0:
            raise ValueError(f"`final` must be a number of at least 0. Received final={final!r}.")
        super().__init__(1.0, constant_steps, decay_steps, decay_epochs, float(final))

    def get_config(self):
        config = super().get_config()
        del config["initial_learning_rate"]
        return {"final": config.pop("final_learning_rate"), **config}
