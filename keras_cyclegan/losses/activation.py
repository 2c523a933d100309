"""The loss of the auxiliary classifiers of U-GAT-IT's generators."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.losses.weights import WeightedLoss
from keras_cyclegan.terms import Term, apply_to_both


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivationLoss(WeightedLoss):
    """Cross-entropy of a generator's auxiliary classifier, which tells the domains apart.

    Kim et al. 2020 (U-GAT-IT), section 2.1.2: weight · [−log σ(η(s)) − log(1 − σ(η(t)))] of the
    logits η, `(batch, 2)`, for images s that a generator translates and t of its target domain. (Of
    the four outputs of `UGATITDiscriminator` the authors take the sum:
    `AdversarialLoss(weight=4)`.)

    Args:
        weight: float; 1000, the paper's, by default.

    Example:

    ```python
    generator = keras_cyclegan.networks.UGATITGenerator((32, 32, 3), filters=4, num_blocks=1)
    ClassActivationLoss()(generator.class_logits(real), generator.class_logits(images))
    ```
    """

    default_name = "activation"

    def __init__(self, weight: float = 1000.0, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)

    def call(self, y_true, y_pred):
        return self.weight * (ops.softplus(-y_true) + ops.softplus(y_pred))


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
                    "`activation_loss` needs generators with a method `class_logits(images)`, such "
                    f"as `networks.UGATITGenerator`. Received a {type(generator).__name__}."
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
