"""Distances between images: cycle consistency and identity."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.losses.similarity import structural_similarity
from keras_cyclegan.losses.weighted import WeightedLoss


class _PixelLoss(WeightedLoss):
    """Mean distance of two images, pixel by pixel."""

    kind_argument = "norm"
    kinds = ("l1", "l2")

    def call(self, y_true, y_pred):
        difference = y_pred - y_true
        distance = ops.abs(difference) if self.norm == "l1" else ops.square(difference)
        return self.weight * distance


@keras.saving.register_keras_serializable("keras_cyclegan")
class CycleConsistencyLoss(_PixelLoss):
    """Distance between an image and its reconstruction after a round trip.

    `ba(ab(a))` should return to `a`: Zhu et al. 2017, eq. (2). A part of it can be structural
    similarity (Zhao et al. 2017, "Loss Functions for Image Restoration"): it asks for the contrasts
    around a pixel more than for its value. With s for `ssim_weight` and d for the norm's mean:

        weight · [(1 − s) · d + s · (1 − SSIM)]

    Args:
        norm: `"l1"` (the paper's; sharper images) or `"l2"`.
        weight: float. λ, 10 in the paper.
        ssim_weight: float in [0, 1]. The part of structural similarity; Zhao et al. mix 0.84.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1].
        y_pred: reconstructions, the same shape.

    Raises:
        ValueError: an argument is out of range; when called, images below 11×11 have no SSIM.
    """

    def __init__(
        self,
        norm: str = "l1",
        weight: float = 10.0,
        ssim_weight: float = 0.0,
        name: str | None = "cycle",
        **kwargs: Any,
    ) -> None:
        super().__init__(norm, weight, name, **kwargs)
        if not 0 <= ssim_weight <= 1:
            raise ValueError(
                f"`ssim_weight` must lie in [0, 1]. Received ssim_weight={ssim_weight!r}."
            )
        self.ssim_weight = float(ssim_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        distance = super().call(y_true, y_pred)
        if not self.ssim_weight:
            return distance
        dissimilarity = self.weight * (1.0 - structural_similarity(y_true, y_pred))  # (n,)
        part = self.ssim_weight
        return (1.0 - part) * ops.mean(distance, axis=(1, 2, 3)) + part * dissimilarity

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ssim_weight": self.ssim_weight}


@keras.saving.register_keras_serializable("keras_cyclegan")
class IdentityLoss(_PixelLoss):
    """Distance between an image and its translation into the domain that it is already in.

    `ab(b)` should be `b`, which keeps a generator from changing colours without need: Zhu et al.
    2017, section 5.2 (Taigman et al. 2017). The domains need equal channels. It can be lazy, as
    Karras et al. 2020 (StyleGAN2, section 3.1) compute their regularisation: every few steps, as
    many times as heavy, which saves the steps between two of a generator's six passes.

    Args:
        norm: `"l1"` (the paper's) or `"l2"`.
        weight: float. The authors' λ_identity times λ: 0.5 · 10.
        every: int, defaults to 1. Steps from one computation in training to the next. Above 1 the
            term's translations are made without dropout.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1].
        y_pred: their translations into their own domain, the same shape.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, norm="l1", weight=5.0, every=1, name="identity", **kwargs):
        super().__init__(norm, weight, name, **kwargs)
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"`every` must be an int of at least 1. Received every={every!r}.")
        self.every = every

    def get_config(self):
        return {**super().get_config(), "every": self.every}
