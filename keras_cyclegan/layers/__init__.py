"""The layers that Keras lacks."""

from keras_cyclegan.layers.augmentation import DifferentiableAugmentation
from keras_cyclegan.layers.frozen_norm import FrozenNormalization
from keras_cyclegan.layers.instance_norm import InstanceNormalization
from keras_cyclegan.layers.normalization import (
    AdaptiveInstanceLayerNormalization,
    InstanceLayerNormalization,
)
from keras_cyclegan.layers.padding import ReflectionPadding2D
from keras_cyclegan.layers.pool import ImagePool
from keras_cyclegan.layers.skip import InputSkip
from keras_cyclegan.layers.spectral import SpectralNormalization

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
