"""Where images come from and how they are prepared. Only this folder converts to [-1, 1]."""

from keras_cyclegan.data.batches import paired_dataset, unpaired_dataset
from keras_cyclegan.data.decode import decode_image
from keras_cyclegan.data.load import load, load_sets
from keras_cyclegan.data.pixel_limit import TooManyPixelsError
from keras_cyclegan.data.pixels import PixelFormat, from_unit, to_unit
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.data.store import UnusableImagesError

__all__ = [
    "PixelFormat",
    "TooManyPixelsError",
    "UnusableImagesError",
    "decode_image",
    "from_unit",
    "load",
    "load_sets",
    "paired_dataset",
    "resize_image",
    "to_unit",
    "unpaired_dataset",
]
