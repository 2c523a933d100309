"""The loss of the auxiliary classifiers of U-GAT-IT's generators."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.losses.weights import WeightedLoss
from keras_cyclegan.passes import apply_to_both
from keras_cyclegan.terms import TermOfEach


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivationLoss(WeightedLoss):
    """Cross-entropy of a generator's auxiliary classifier, which tells the domains apart.

    Kim et al. 2020 (U-GAT-IT), section 2.1.2: weight · [−log σ(η(s)) − log(1 − σ(η(t)))] of the
    logits η, `(batch, 2)`, for images s that a generator translates and t of its target domain; the
    paper's `weight` is 1000. (Of the four outputs of `UGATITDiscriminator` the authors take the
    sum: `AdversarialLoss(weight=4)`.)
    """

    default_name = "activation"

    def __init__(self, weight: float = 1000.0, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)

    def call(self, y_true, y_pred):
        return self.weight * (ops.softplus(-y_true) + ops.softplus(y_pred))


class ActivationTerm(TermOfEach):
    """Each generator's classifier tells the domains apart; Kim et al. 2020: mine to translate?"""

    log_name = "activation_{source}{target}"

    def prepare(self, model):
        super().prepare(model)
        generators = [*model.networks_of("generators").values()]
        capable = [hasattr(generator, "class_logits") for generator in generators]
        if capable != [True, True] or len({*model.channels}) > 1:
            raise ValueError(
                "`activation_loss` needs two generators with a method `class_logits(images)`, such "
                "as `networks.UGATITGenerator`, and as many channels in A as in B. Received "
                f"{generators}, channels {model.channels}."
            )

    def value(self, passes, source, target):
        classify = getattr(passes, f"generator_{source}{target}").class_logits
        images = passes.batch[source], passes.batch[target]
        return self.loss(*apply_to_both(classify, *images, passes.training))
