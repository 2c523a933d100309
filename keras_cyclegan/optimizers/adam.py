"""The paper's Adam."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.optimizers import cpu
from keras_cyclegan.optimizers.schedule import LinearDecay


def paper_adam(
    learning_rate: Any = None,
    clip_norm: float | None = None,
    weight_penalty: float = 0.0,
    accumulate: int = 1,
) -> keras.optimizers.Optimizer:
    """Make the authors' Adam: betas 0.5 and 0.999, epsilon 1e-8 (Keras's default is 1e-7).

    Zhu et al. 2017, section 4 and appendix 7.1. Keras adds epsilon before the moment's bias is
    corrected, torch after: in the first step it acts as 3e-7, after a few thousand as 1e-8. This
    only matters for gradients as small as that.

    Args:
        learning_rate: float or `LearningRateSchedule`. None, the default, takes `LinearDecay()`:
            2e-4, which falls over the second half of `CycleGAN.fit`.
        clip_norm: float. Gradients are scaled down where the norm of all together is larger. None,
            the default and the authors' choice, leaves them as they are.
        weight_penalty: float, 0 by default, the authors' choice; see `PenalisedAdam`.
        accumulate: int, 1 by default. Steps whose gradients are averaged for one update: the same
            as a batch so many times as large, in the memory of one step.

    Returns:
        A `keras.optimizers.Adam`.

    Example:

    ```python
    slower = LinearDecay(5e-5, decay_epochs=20)
    model.compile(paper_adam(clip_norm=1.0), paper_adam(slower, clip_norm=1.0))
    ```
    """
    if learning_rate is None:
        learning_rate = LinearDecay()
    options = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8, "global_clipnorm": clip_norm}
    options["gradient_accumulation_steps"] = accumulate if accumulate > 1 else None
    if weight_penalty:
        return PenalisedAdam(learning_rate, weight_penalty=weight_penalty, **options)
    return FusedAdam(learning_rate, **options)


@keras.saving.register_keras_serializable("keras_cyclegan")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the same numbers in less time on TensorFlow: `cpu.update_adam`.

    JAX fuses the update itself, and for torch Keras has an Adam of its own.

    Args:
        *args, **kwargs: as in `keras.optimizers.Adam`.
    """

    def update_step(self, gradient, variable, learning_rate):
        update = (
            cpu.update_adam if cpu.can_fuse(self, gradient) else keras.optimizers.Adam.update_step
        )
        update(self, gradient, variable, learning_rate)


@keras.saving.register_keras_serializable("keras_cyclegan")
class PenalisedAdam(FusedAdam):
    """Adam on a loss to which ½ · `weight_penalty` · ‖weights‖² is added.

    It equals `weight_decay` of torch's Adam, 1e-4 in U-GAT-IT (Kim et al. 2020, section 4.1). The
    `weight_decay` of Keras's optimizers is another one, AdamW's, which makes the weights smaller
    without changing the gradient.

    Args:
        *args, **kwargs: as in `keras.optimizers.Adam`.
        weight_penalty: float of at least 0, 1e-4 by default.
    """

    def __init__(self, *args, weight_penalty=1e-4, **kwargs):
        if not weight_penalty >= 0:
            raise ValueError(
                "`weight_penalty` must be a number of at least 0. Received "
                f"weight_penalty={weight_penalty!r}."
            )
        super().__init__(*args, **kwargs)
        self.weight_penalty = weight_penalty

    def update_step(self, gradient, variable, learning_rate):
        penalty = self.weight_penalty * ops.convert_to_tensor(variable)
        super().update_step(ops.cast(gradient, variable.dtype) + penalty, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "weight_penalty": self.weight_penalty}
