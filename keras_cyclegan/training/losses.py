"""The objective of a run: its terms, and their weights."""

import dataclasses
from typing import Literal

from keras_cyclegan.training.option import option

Norm = Literal["l1", "l2"]
ADVERSARIAL_LOSSES = (  # kinds of `AdversarialLoss`
    *("least_squares", "min_max", "min_max_saturating", "hinge", "wasserstein"),
    "relativistic_average",
)
LAST_MAP = "Factor of discriminators' last map; of projected ones the PatchGAN's, against dots."
FEATURES = "Network of these features, and of those of `content`. Keras downloads VGG-16."
KEPT = "What of an image must be in its translation. Default: none."
PAIR = "Weight of a loss on the pairs of the folders pairA and pairB; 0 for none."
NCE = "Weight of the contrast of patches, of resnet or feature generators; 0 for none."
KEEP = "Weight of a loss on what changes outside of the masks of maskA and maskB; 0 for none."


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """The terms of the objective, and their weights."""

    adversarial_loss: Literal[ADVERSARIAL_LOSSES] = option("Kind of this loss.", "least_squares")
    adversarial_weight: float = option("Weight of the adversarial loss.", 1.0, least=0)
    label_smoothing: float = option("Real images count as 1 minus this.", 0.0, least=0, below=1)
    last_map_weight: float = option(LAST_MAP, 1.0, least=0)
    gradient_penalty: Literal["r1", "wgan_gp"] | None = option(
        "Penalty on the discriminators' gradient; wasserstein needs wgan_gp. Default: none."
    )
    penalty_weight: float | None = option("Default: 10.", least=0, needs="gradient_penalty")
    penalty_every: int | None = option(
        "Steps between penalties. Default: 16 for r1, else 1.", least=1, needs="gradient_penalty"
    )
    cycle_norm: Norm = option("Distance of an image and its round trip.", "l1")
    cycle_weight: float = option("Weight of the cycle-consistency loss.", 10.0, least=0)
    final_cycle_weight: float | None = option("To which it falls.", least=0, needs="cycle_weight")
    cycle_decay_epochs: int | None = option(
        "Last epochs in which it falls. Default: all.", least=1, needs="final_cycle_weight"
    )
    ssim_weight: float = option("Part of the cycle loss that is SSIM, to 1.", 0.0, least=0)
    coarse_weight: float = option("Part of it on means of 8x8 pixels, to 1.", 0.0, least=0)
    identity_weight: float = option("Weight of the identity loss; 0 for none.", 5.0, least=0)
    identity_norm: Norm = option("Distance of an image of the target and its translation.", "l1")
    identity_every: int = option("Every N steps only, N times as strong.", 1, least=1)
    perceptual_weight: float = option("Weight of a cycle loss on features.", 0.0, least=0)
    perceptual_norm: Norm = option("Distance of features of an image and its round trip.", "l2")
    perceptual_features: Literal["vgg16", "efficientnet-lite1"] = option(FEATURES, "vgg16")
    content: Literal["edges", "mutual_information", "structure", "features"] | None = option(KEPT)
    content_weight: float = option("Weight of this loss.", 1.0, least=0)
    activation_weight: float = option("Weight of ugatit's auxiliary heads.", 0.0, least=0)
    pair_weight: float = option(PAIR, 0.0, least=0)
    pair_loss: Literal["l1", "edges", "features"] = option(
        "Distance of a pair's translation and its other half.", "l1", needs="pair_weight"
    )
    pair_every: int = option("Every N steps, N times as much.", 1, least=1, needs="pair_weight")
    keep_weight: float = option(KEEP, 0.0, least=0)
    see_masks: bool = option("Show discriminators the inside of masks, the photo outside.", False)
    paint_masks: bool = option("Change nothing outside of masks.", False)
    nce_weight: float = option(NCE, 0.0, least=0)
    weight_a: float = option("Factor of A's losses but the adversarial.", 1.0, least=0)
    weight_b: float = option("The same for domain B.", 1.0, least=0)


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
        "gradient_penalty": None,
        "cycle_loss": None,
        "identity_loss": None,  # `compile` has one, if it isn't told otherwise
        "terms": [],
        "weight_a": options.weight_a,
        "weight_b": options.weight_b,
    }
    if weight := options.cycle_weight:
        made["cycle_loss"] = losses.CycleConsistencyLoss(
            options.cycle_norm, weight, options.ssim_weight, options.coarse_weight
        )
    if options.gradient_penalty:
        given = {"weight": options.penalty_weight, "every": options.penalty_every}
        made["gradient_penalty"] = losses.GradientPenalty(
            options.gradient_penalty, **{k: v for k, v in given.items() if v is not None}
        )
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
    if weight := options.pair_weight:
        loss = {
            "l1": lambda: losses.CycleConsistencyLoss("l1", weight),
            "edges": lambda: losses.ContentLoss("edges", weight),
            "features": lambda: losses.PerceptualLoss(features, weight=weight),
        }[options.pair_loss]()
        made["terms"].append(losses.Lazy(losses.PairTerm(loss), options.pair_every))
    if weight := options.keep_weight:
        made["terms"].append(losses.KeepTerm(losses.CycleConsistencyLoss("l1", weight)))
    if options.nce_weight:
        made["terms"].append(losses.PatchNCETerm(options.nce_weight))
    if options.see_masks:
        made["shown"] = losses.inside_masks
    if options.paint_masks:
        made["painted"] = losses.inside_masks
    return made
