"""The layers that Keras lacks."""

from keras_cyclegan.layers.attention import SelfAttention as SelfAttention
from keras_cyclegan.layers.augmentation import (
    DifferentiableAugmentation as DifferentiableAugmentation,
)
from keras_cyclegan.layers.normalization import (
    AdaptiveInstanceLayerNormalization as AdaptiveInstanceLayerNormalization,
)
from keras_cyclegan.layers.normalization import (
    InstanceLayerNormalization as InstanceLayerNormalization,
)
from keras_cyclegan.layers.padding import ReflectionPadding2D as ReflectionPadding2D
from keras_cyclegan.layers.pool import ImagePool as ImagePool
from keras_cyclegan.layers.pool import random_integers as random_integers
from keras_cyclegan.layers.skip import InputSkip as InputSkip
from keras_cyclegan.layers.spectral import SpectralNormalization as SpectralNormalization
