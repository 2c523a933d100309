"""The terms of the objective, each an object that carries its weight."""

from keras_cyclegan.losses.adversarial import AdversarialLoss as AdversarialLoss
from keras_cyclegan.losses.penalty import GradientPenalty as GradientPenalty
from keras_cyclegan.losses.perceptual import VGG16_LAYERS as VGG16_LAYERS
from keras_cyclegan.losses.perceptual import PerceptualLoss as PerceptualLoss
from keras_cyclegan.losses.pixels import CycleConsistencyLoss as CycleConsistencyLoss
from keras_cyclegan.losses.pixels import IdentityLoss as IdentityLoss
from keras_cyclegan.losses.similarity import structural_similarity as structural_similarity
