"""What watches a training run and what brings it back."""

from keras_cyclegan.callbacks.failure_alarms import FailureAlarms as FailureAlarms
from keras_cyclegan.callbacks.history import HistoryFile as HistoryFile
from keras_cyclegan.callbacks.progress import Progress as Progress
from keras_cyclegan.callbacks.sample_grid import SampleGrid as SampleGrid
from keras_cyclegan.callbacks.translation_metrics import TranslationMetrics as TranslationMetrics
from keras_cyclegan.resume.divergence import DivergenceError as DivergenceError
from keras_cyclegan.resume.divergence import StopAtDivergence as StopAtDivergence
from keras_cyclegan.resume.training_state import TrainingState as TrainingState
