"""Training that goes on after a power cut, a full disk or a signal."""

from keras_cyclegan.training.checkpoint import DamagedCheckpointError
from keras_cyclegan.training.divergence import DivergenceError, StopAtDivergence
from keras_cyclegan.training.training_state import TrainingState, fit

__all__ = ["DamagedCheckpointError", "DivergenceError", "StopAtDivergence", "TrainingState", "fit"]
