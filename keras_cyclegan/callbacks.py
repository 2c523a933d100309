"""Callbacks that watch a training run, and those that save it."""

from keras_cyclegan.training.divergence import DivergenceError, StopAtDivergence
from keras_cyclegan.training.failure_alarms import FailureAlarms
from keras_cyclegan.training.history import HistoryFile, Progress
from keras_cyclegan.training.preset_keeper import PresetKeeper
from keras_cyclegan.training.sample_grid import SampleGrid
from keras_cyclegan.training.training_state import TrainingState
from keras_cyclegan.training.translation_metrics import TranslationMetrics

__all__ = [
    "DivergenceError",
    "FailureAlarms",
    "HistoryFile",
    "PresetKeeper",
    "Progress",
    "SampleGrid",
    "StopAtDivergence",
    "TrainingState",
    "TranslationMetrics",
]
