"""The loss of the auxiliary classifiers of U-GAT-IT's generators."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.terms import Term, apply_to_both


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivationLoss(keras.losses.Loss):
    """Cross-entropy of a generator's auxiliary classifier, which tells the domains apart.

    Kim et al. 2020 (U-GAT-IT), section 2.1.2, the CAM loss: the classifier of the generator that
    translates S to T gives logits η, above 0 for images of S. Its class activation map then shows
    where the domains differ, which is what the generator changes:

        weight · [−log σ(η(s)) − log(1 − σ(η(t)))],  s of S, t of T

    The classifiers of U-GAT-IT's *discriminators* need no loss of their own: their logits are two
    of the four outputs of `UGATITDiscriminator`, on all of which the adversarial loss is computed.
    It takes the mean of the four, the authors their sum: `AdversarialLoss(weight=4)` gives each
    output the authors' weight of 1.

    Args:
        weight: float; 1000, the paper's, by default.
        reduction: as in `keras.losses.Loss`.
        dtype: dtype or policy of the loss, `"float32"` by default.

    Call arguments:
        y_true: logits of images of the domain that is translated from, `(batch, 2)`.
        y_pred: logits of images of the domain that is translated to, `(batch, 2)`.

    Returns:
        Scalar, or what the loss's `reduction` leaves.

    Raises:
        ValueError: `weight` is negative.

    Example:

    ```python
    loss = ClassActivationLoss()
    generator = keras_cyclegan.networks.UGATITGenerator((32, 32, 3), filters=4, num_blocks=1)
    loss(generator.class_logits(real), generator.class_logits(images))
    ```
    """

    def __init__(
        self,
        weight: float = 1000.0,
        name: str | None = "activation",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = "float32",
    ) -> None:
        if not weight >= 0:
            raise ValueError(
                f"`weight` must be a number of at least 0. Received weight={weight!r}."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)

    def call(self, y_true, y_pred):
        return self.weight * (ops.softplus(-y_true) + ops.softplus(y_pred))

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "dtype": self.dtype}


class ActivationTerm(Term):
    """Each generator's classifier tells the domains apart; Kim et al. 2020: mine to translate?"""

    names = ("activation_ab", "activation_ba")

    def __init__(self, loss):
        super().__init__(name="activation")
        self.loss = loss

    def prepare(self, model):
        generators = model.networks_of("generators").values()
        for generator in generators:
            if not hasattr(generator, "class_logits"):
                raise ValueError(
                    "`activation_loss` needs generators with an auxiliary head, such as "
                    "`networks.UGATITGenerator`: a method `class_logits(images)`. Received "
                    f"{generator.name}, a {type(generator).__name__}."
                )
        channels_a, channels_b = model.channels
        if channels_a != channels_b or len(generators) < 2:
            raise ValueError(
                "`activation_loss` shows images of both domains to both generators: these need "
                f"the same channels. Received {channels_a} and {channels_b}."
            )

    def __call__(self, passes):
        a, b, training = passes.batch.a, passes.batch.b, passes.training
        logits_ab = apply_to_both(passes.generator_ab.class_logits, a, b, training)
        logits_ba = apply_to_both(passes.generator_ba.class_logits, b, a, training)
        return {"activation_ab": self.loss(*logits_ab), "activation_ba": self.loss(*logits_ba)}
