"""Distances between images, and their terms: cycle consistency and identity."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_choice
from keras_cyclegan.losses.similarity import structural_similarity
from keras_cyclegan.losses.weights import WeightedLoss
from keras_cyclegan.terms import TermOfEach

DISTANCES = {"l1": ops.abs, "l2": ops.square}  # of a difference


class NormLoss(WeightedLoss):
    """The mean distance of two images, pixel by pixel."""

    kinds = tuple(DISTANCES)

    def __init__(self, norm, weight, **kwargs):
        check_choice("norm", norm, self.kinds)
        super().__init__(weight, **kwargs)
        self.norm = norm

    def call(self, y_true, y_pred):
        return self.weight * DISTANCES[self.norm](y_pred - y_true)


@keras.saving.register_keras_serializable("keras_cyclegan")
class CycleConsistencyLoss(NormLoss):
    """Distance between an image and its reconstruction after a round trip.

    `ba(ab(a))` should return to `a`: Zhu et al. 2017, eq. (2). Structural similarity can be mixed
    in (Zhao et al. 2017, "Loss Functions for Image Restoration"), which compares the contrasts
    around a pixel more than its value, and a coarse part, of means of 8×8 pixels: a round trip may
    then redraw a texture, but not the colours. With s and c for the two shares, d for the mean
    distance and d₈ for that of the means: weight · [(1 − s − c) · d + s · (1 − SSIM) + c · d₈].

    Args:
        norm: `"l1"` (the paper's; sharper images) or `"l2"`.
        weight: float. λ, 10 in the paper.
        ssim_weight: float in [0, 1]. The share of structural similarity; Zhao et al. take 0.84.
            Images must be of 11×11 or more.
        coarse_weight: float in [0, 1]. The share of the means.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1].
        y_pred: reconstructions, the same shape.
    """

    default_name = "cycle"

    def __init__(
        self,
        norm: str = "l1",
        weight: float = 10.0,
        ssim_weight: float = 0.0,
        coarse_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(norm, weight, **kwargs)
        if not (ssim_weight >= 0 and coarse_weight >= 0 and ssim_weight + coarse_weight <= 1):
            both = f"{ssim_weight=} and {coarse_weight=}"
            raise ValueError(f"Shares lie in [0, 1], and are at most 1 together. Received {both}.")
        self.ssim_weight = float(ssim_weight)
        self.coarse_weight = float(coarse_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        distance = super().call(y_true, y_pred)
        structure, coarse = self.ssim_weight, self.coarse_weight
        if not structure and not coarse:
            return distance
        loss = (1.0 - structure - coarse) * ops.mean(distance, axis=(1, 2, 3))  # (n,)
        if structure:
            dissimilarity = self.weight * (1.0 - structural_similarity(y_true, y_pred))
            loss = loss + structure * dissimilarity
        if coarse:
            means = (ops.average_pool(y, 8, 8, "valid", "channels_last") for y in (y_true, y_pred))
            loss = loss + coarse * ops.mean(super().call(*means), axis=(1, 2, 3))
        return loss


@keras.saving.register_keras_serializable("keras_cyclegan")
class IdentityLoss(NormLoss):
    """Distance between an image and its translation into its own domain.

    `ab(b)` should be `b`, which keeps a generator from changing colours without need: Zhu et al.
    2017, section 5.2 (Taigman et al. 2017). Both domains need the same number of channels.

    Args:
        norm: `"l1"` (the paper's) or `"l2"`.
        weight: float; 5 is the authors' λ_identity times λ, 0.5 · 10.
        every: int, as in `Lazy`: other steps save two of six passes of generators.
    """

    default_name = "identity"

    def __init__(
        self, norm: str = "l1", weight: float = 5.0, every: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(norm, weight, **kwargs)
        self.every = every


class ComparisonTerm(TermOfEach):
    """A loss between each domain's images and what a pass makes of them."""

    compared = "source"  # or "target": the domain whose images these are

    def __init__(self, loss, weight_a=1.0, weight_b=1.0):
        super().__init__(loss)
        self.weights_of = {"a": weight_a, "b": weight_b}

    def value(self, passes, **way):
        domain, made = way[self.compared], getattr(passes, self.pass_name.format(**way))
        return self.weights_of[domain] * self.loss(passes.batch[domain], made)


class CycleTerm(ComparisonTerm):
    """Both round trips end where they began; Zhu et al. 2017, eq. (2)."""

    log_name = pass_name = "cycle_{source}"

    def prepare(self, model):
        super().prepare(model)
        if len(model.targets) < 2:
            raise ValueError(
                "Cycle consistency needs both generators; this model has one. Compile with "
                "`cycle_loss=None` and another term, or train with `cycle_weight=0` `nce_weight=1`."
            )


class IdentityTerm(ComparisonTerm):
    """An image of a generator's target domain stays as it is; Zhu et al. 2017, section 5.2."""

    log_name = "identity_{target}"
    pass_name = "same_{target}"
    compared = "target"

    def prepare(self, model):
        super().prepare(model)
        channels_a, channels_b = model.channels
        if channels_a != channels_b:
            raise ValueError(
                "The identity loss needs the same channels in both domains. Received "
                f"{channels_a} and {channels_b}: compile with `identity_loss=None`, or train with "
                "`identity_weight=0`."
            )
