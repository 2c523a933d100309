"""Translates a photo at the size that a network knows, and brings the change to all its pixels."""

import keras
import numpy as np
from PIL import Image

from keras_cyclegan.inference.images import Picture, as_given, to_float
from keras_cyclegan.layers import InputSkip

WORTHWHILE = 1.25  # times the working size: smaller photos are translated as they are
SHRUNK = 0.98  # as in `InputSkip`: tanh gives back nothing of 1
STRIP = 2**19  # pixels of the photo that are computed at once
RADIUS, EPSILON = 2, 0.02  # of the windows in which a change is compared with the photo


def check_working_size(size):
    """Raise a ValueError unless `size` is None, "auto", or an int of at least 4."""
    is_int = isinstance(size, int) and not isinstance(size, bool)
    if size in (None, "auto") or (is_int and size >= 4):
        return
    raise ValueError(
        '`working_size` is "auto", the short side in pixels at which photos are translated (at '
        f"least 4), or None for their own. Received working_size={size!r}."
    )


def is_reduced(pixels, size):
    """Return whether a photo is so much larger than the working size as to be reduced to it."""
    return size is not None and min(pixels.shape[:2]) > WORTHWHILE * size


def change_network(generator):
    """Return the network of what a generator adds to its input before its tanh, h in `InputSkip`.

    None for a generator that has no skip right before a tanh at its end.
    """
    if not getattr(generator, "inputs", None):
        return None
    made_by = {id(operation.output): operation for operation in generator.operations}
    last = made_by.get(id(generator.output))
    if getattr(last, "activation", None) is not keras.activations.tanh:
        return None
    skip = made_by.get(id(last.input))
    if not isinstance(skip, InputSkip) or skip.input[1] is not generator.input:
        return None
    return keras.Model(generator.input, skip.input[0], name=f"{generator.name}_change")


def reduced(picture, size, multiple, of_change):
    """Make a `Picture` of the working size, whose translation finishes as that of the photo.

    Both sides become multiples of `multiple`, so that nothing is padded. `of_change` says that the
    network gives a change, as `change_network` does, and not the translation.
    """
    pixels, finish = picture
    short = min(pixels.shape[:2])
    sides = (max(1, round(side * size / short / multiple)) * multiple for side in pixels.shape[:2])
    small = np.clip(to_float(_resize(pixels, tuple(sides))), -1, 1)

    def finish_large(made):
        made = to_float(made)
        if of_change:
            return finish(_add(pixels, small, made, 1.0))
        if made.shape[-1] == small.shape[-1]:
            return finish(_add(pixels, small, _before_tanh(made) - _before_tanh(small), SHRUNK))
        return finish(as_given(np.clip(_resize(made, pixels.shape[:2]), -1, 1), pixels))

    return Picture(small, finish_large)


def _add(pixels, small, change, scale):
    """Return tanh(change + artanh(0.98 · photo)) / `scale`, with the change at the photo's size.

    Where it goes along with brightness, which a guided filter's slope tells (He & Sun 2015), it
    follows the photo's own pixels. With a `scale` of 0.98, no change gives the photo itself.
    """
    guide = small.mean(axis=-1, keepdims=True)
    slope = _slope(guide, change)
    height, width = pixels.shape[:2]
    result = np.empty(pixels.shape, pixels.dtype)
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        part = to_float(pixels[rows])
        detail = part.mean(axis=-1, keepdims=True) - _resize(guide, (height, width), rows)
        moved = _resize(change, (height, width), rows) + _before_tanh(part)
        moved += _resize(slope, (height, width), rows) * detail
        result[rows] = as_given(np.clip(np.tanh(moved) / scale, -1, 1), pixels)
    return result


def _slope(guide, change):
    """Return by how much a change rises with the guide, in windows around each pixel."""
    mean_guide, mean_change = window_mean(guide), window_mean(change)
    covariance = window_mean(guide * change) - mean_guide * mean_change
    return window_mean(covariance / (window_mean(guide * guide) - mean_guide**2 + EPSILON))


def window_mean(values, window=2 * RADIUS + 1):
    """Return the mean of the window around each pixel, mirrored at the edges, as float32."""
    sides = [(window // 2 + 1, (window - 1) // 2)] * 2 + [(0, 0)] * (values.ndim - 2)
    sums = np.pad(values.astype("float64"), sides, "symmetric").cumsum(axis=0).cumsum(axis=1)
    sums = sums[window:] - sums[:-window]
    return ((sums[:, window:] - sums[:, :-window]) / window**2).astype("float32")


def _before_tanh(unit):
    return np.arctanh(np.clip(SHRUNK * unit, -0.99, 0.99))


def _resize(values, size, rows=None):
    """Resize `(height, width, channels)` bicubically, as in training; some `rows` of the result."""
    (height, width), rows = size, rows or slice(0, size[0])
    box = (0, rows.start * len(values) / height, values.shape[1], rows.stop * len(values) / height)
    result = np.empty((rows.stop - rows.start, width, values.shape[2]), values.dtype)
    for channel in range(values.shape[2]):
        image = Image.fromarray(np.ascontiguousarray(values[:, :, channel]))
        image = image.resize((width, len(result)), Image.Resampling.BICUBIC, box=box)
        result[:, :, channel] = image
    return result
