"""Callbacks that watch a training run, and those that save it."""

from keras_cyclegan.callbacks.failure_alarms import FailureAlarms
from keras_cyclegan.callbacks.history import HistoryFile
from keras_cyclegan.callbacks.preset_keeper import PresetKeeper
from keras_cyclegan.callbacks.progress import Progress
from keras_cyclegan.callbacks.sample_grid import SampleGrid
from keras_cyclegan.callbacks.translation_metrics import TranslationMetrics
from keras_cyclegan.resume.divergence import DivergenceError, StopAtDivergence
from keras_cyclegan.resume.training_state import TrainingState

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
