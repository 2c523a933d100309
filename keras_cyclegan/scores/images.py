"""The two kinds of images that metrics take: uint8, and floats in [-1, 1]."""

import keras
import numpy as np

from keras_cyclegan.data.pixels import from_unit, to_unit


def as_floats(images):
    """Convert integers of 0 … 255 or floats in [-1, 1] to the latter.

    Arrays are checked; tensors aren't: inside of a compiled step they have no values yet.
    """
    if isinstance(images, (np.ndarray, list, tuple)):
        images = np.asarray(images)
        _require_known_range(images)
    integers = "int" in keras.backend.standardize_dtype(images.dtype)
    return keras.ops.convert_to_tensor(to_unit(images) if integers else images, dtype="float32")


def as_levels(images):
    """Convert images of either kind to a uint8 array; raise as `as_floats` does."""
    images = keras.ops.convert_to_numpy(images)
    _require_known_range(images)
    return from_unit(images) if images.dtype.kind == "f" else images.astype("uint8")


def _require_known_range(images):
    if images.size == 0:
        raise ValueError(f"There are no images to score. Received shape {images.shape}.")
    low, high = images.min(), images.max()
    # Floats may overshoot a little: resizing and half precision round.
    lowest, highest = (0, 255) if images.dtype.kind in "iu" else (-1.01, 1.01)
    if not (low >= lowest and high <= highest):
        given = f"{images.dtype} from {low} to {high}"
        raise ValueError(f"Images are integers in 0 … 255 or floats in [-1, 1]. Received {given}.")
