"""Training runs: options beside what they make, the run's folder and its card."""

from keras_cyclegan.training.options import TrainingOptions

__all__ = ["TrainingOptions"]
