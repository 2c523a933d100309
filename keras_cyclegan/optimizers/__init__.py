"""The paper's Adam and its schedule."""

from keras_cyclegan.optimizers.adam import paper_adam
from keras_cyclegan.optimizers.schedule import LinearDecay

__all__ = ["LinearDecay", "paper_adam"]
