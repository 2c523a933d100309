"""Where images come from and how they are made ready: the only place that knows [-1, 1]."""

from keras_cyclegan.data.decode import TooManyPixelsError, decode_image, resize_image
from keras_cyclegan.data.glyphs import render_glyphs
from keras_cyclegan.data.held_out import load_sets
from keras_cyclegan.data.load import load
from keras_cyclegan.data.scale import from_unit, to_unit
from keras_cyclegan.data.unpaired import paired_dataset, unpaired_dataset

__all__ = [
    "TooManyPixelsError",
    "decode_image",
    "from_unit",
    "load",
    "load_sets",
    "paired_dataset",
    "render_glyphs",
    "resize_image",
    "to_unit",
    "unpaired_dataset",
]
