"""The layers that Keras lacks."""

from keras_cyclegan.layers.augmentation import DifferentiableAugmentation
from keras_cyclegan.layers.convolution import ReflectionPadding2D
from keras_cyclegan.layers.normalization import (
    AdaptiveInstanceLayerNormalization,
    FrozenNormalization,
    InstanceLayerNormalization,
    InstanceNormalization,
    SpectralNormalization,
)
from keras_cyclegan.layers.pool import ImagePool
from keras_cyclegan.layers.skip import InputSkip

__all__ = [
    "AdaptiveInstanceLayerNormalization",
    "DifferentiableAugmentation",
    "FrozenNormalization",
    "ImagePool",
    "InputSkip",
    "InstanceLayerNormalization",
    "InstanceNormalization",
    "ReflectionPadding2D",
    "SpectralNormalization",
]
