"""CycleGAN for Keras 3: unpaired image-to-image translation."""

import os
import sys

if os.path.basename(sys.argv[0]) == "keras-cyclegan":
    # TensorFlow's notes to its developers are noise in a terminal. They can only be turned off
    # before TensorFlow is imported, which Keras does.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from keras_cyclegan.commands.terminal import without_notes

    with without_notes():
        import keras as keras

from keras_cyclegan import callbacks as callbacks
from keras_cyclegan import data as data
from keras_cyclegan import layers as layers
from keras_cyclegan import losses as losses
from keras_cyclegan import metrics as metrics
from keras_cyclegan import networks as networks
from keras_cyclegan import optimizers as optimizers
from keras_cyclegan.cyclegan import CycleGAN as CycleGAN
from keras_cyclegan.presets import list_presets as list_presets
from keras_cyclegan.presets import upload_preset as upload_preset

__version__ = "0.1.0"
