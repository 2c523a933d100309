"""Training that goes on after a power cut, a full disk or a signal."""

from keras_cyclegan.resume.checkpoint import DamagedCheckpointError
from keras_cyclegan.resume.divergence import DivergenceError, StopAtDivergence
from keras_cyclegan.resume.fit import fit
from keras_cyclegan.resume.training_state import TrainingState

__all__ = [
    "DamagedCheckpointError",
    "DivergenceError",
    "StopAtDivergence",
    "TrainingState",
    "fit",
]
