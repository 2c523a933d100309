"""CycleGAN for Keras 3: unpaired image-to-image translation."""

from keras_cyclegan import data as data
from keras_cyclegan import layers as layers
from keras_cyclegan import losses as losses
from keras_cyclegan import networks as networks
from keras_cyclegan import optimizers as optimizers
from keras_cyclegan.cyclegan import CycleGAN as CycleGAN
from keras_cyclegan.presets import list_presets as list_presets
from keras_cyclegan.presets import upload_preset as upload_preset

__version__ = "0.1.0"
