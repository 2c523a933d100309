"""The terms of the objective, each an object that carries its weight."""

from keras_cyclegan.losses.activation import ClassActivationLoss
from keras_cyclegan.losses.adversarial import AdversarialLoss
from keras_cyclegan.losses.penalty import GradientPenalty
from keras_cyclegan.losses.perceptual import PerceptualLoss
from keras_cyclegan.losses.pixels import CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.losses.schedule import WeightSchedule
from keras_cyclegan.terms import Batch, Game, Lazy, Passes, Scheduled, Term, average

__all__ = [
    "AdversarialLoss",
    "Batch",
    "ClassActivationLoss",
    "CycleConsistencyLoss",
    "Game",
    "GradientPenalty",
    "IdentityLoss",
    "Lazy",
    "Passes",
    "PerceptualLoss",
    "Scheduled",
    "Term",
    "WeightSchedule",
    "average",
]
