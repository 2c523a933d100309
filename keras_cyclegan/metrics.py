"""Scores of translators: distances of sets, scores against ground truth, and cycle errors."""

from keras_cyclegan.scores import *  # noqa: F403
from keras_cyclegan.scores import __all__ as __all__
