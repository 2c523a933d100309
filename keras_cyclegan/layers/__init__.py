"""The layers that Keras lacks."""

from keras_cyclegan.layers.augmentation import DifferentiableAugmentation
from keras_cyclegan.layers.padding import ReflectionPadding2D
from keras_cyclegan.layers.pool import ImagePool
from keras_cyclegan.layers.skip import InputSkip
from keras_cyclegan.layers.spectral import SpectralNormalization

__all__ = [
    "DifferentiableAugmentation",
    "ImagePool",
    "InputSkip",
    "ReflectionPadding2D",
    "SpectralNormalization",
]
