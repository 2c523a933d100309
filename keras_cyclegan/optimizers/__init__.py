"""The paper's Adam and its schedule."""

from keras_cyclegan.optimizers.adam import paper_adam
from keras_cyclegan.optimizers.schedule import CosineDecay, LinearDecay

__all__ = ["CosineDecay", "LinearDecay", "paper_adam"]
