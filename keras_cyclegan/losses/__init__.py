"""The losses, each an object that carries its weight, and the terms that they make."""

from keras_cyclegan.losses.activation import ClassActivationLoss
from keras_cyclegan.losses.adversarial import AdversarialLoss
from keras_cyclegan.losses.companions import KeepTerm, PairTerm, inside_masks
from keras_cyclegan.losses.content import ContentLoss
from keras_cyclegan.losses.contrast import PatchNCELoss, PatchNCETerm
from keras_cyclegan.losses.penalty import GradientPenalty
from keras_cyclegan.losses.perceptual import PerceptualLoss
from keras_cyclegan.losses.pixels import CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.losses.weights import WeightSchedule
from keras_cyclegan.terms import Lazy, Scheduled, Term, average

__all__ = [
    "AdversarialLoss",
    "ClassActivationLoss",
    "ContentLoss",
    "CycleConsistencyLoss",
    "GradientPenalty",
    "IdentityLoss",
    "KeepTerm",
    "Lazy",
    "PairTerm",
    "PatchNCELoss",
    "PatchNCETerm",
    "PerceptualLoss",
    "Scheduled",
    "Term",
    "WeightSchedule",
    "average",
    "inside_masks",
]
