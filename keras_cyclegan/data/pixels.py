"""Converts uint8 images to the networks' range, [-1, 1], and back. No other file does."""

import sys
from typing import Any

import keras
import numpy as np


def to_unit(images: Any) -> Any:
    """Scale pixels from 0 … 255 to [-1, 1], the range of the generators' tanh.

    Args:
        images: uint8 numpy array, or tensor of any backend, of any shape.

    Returns:
        float32, same kind and shape: `images / 127.5 - 1`.

    Example:

    ```python
    to_unit(np.array([0, 51, 255], "uint8"))  # [-1.0, -0.6, 1.0]
    ```
    """
    if isinstance(images, np.ndarray):
        return images.astype("float32") / 127.5 - 1.0
    if _is_tensorflow(images):
        # In tf.data a tensor is TensorFlow's, whichever backend Keras trains with.
        import tensorflow as tf

        return tf.cast(images, "float32") / 127.5 - 1.0
    return keras.ops.cast(images, "float32") / 127.5 - 1.0


def from_unit(images: Any) -> Any:
    """Scale from [-1, 1] back to pixels: rounded to the nearest, and clipped to 0 … 255.

    Args:
        images: float numpy array, or tensor of any backend, of any shape.

    Returns:
        uint8, same kind and shape. `from_unit(to_unit(images))` is `images`, exactly.

    Example:

    ```python
    translated = from_unit(model.generator_ab(images))
    PIL.Image.fromarray(np.array(translated[0])).save("translated.png")
    ```
    """
    if isinstance(images, np.ndarray):
        pixels = np.rint((images.astype("float32") + 1.0) * 127.5)
        return np.clip(pixels, 0, 255).astype("uint8")
    if _is_tensorflow(images):
        import tensorflow as tf

        pixels = tf.round((tf.cast(images, "float32") + 1.0) * 127.5)
        return tf.cast(tf.clip_by_value(pixels, 0, 255), "uint8")
    pixels = keras.ops.round((keras.ops.cast(images, "float32") + 1.0) * 127.5)
    return keras.ops.cast(keras.ops.clip(pixels, 0, 255), "uint8")


def unit_to_pixels(images):
    """Scale from [-1, 1] to floats in 0 … 255, which `keras.applications` take.

    Args:
        images: float tensor of any shape.

    Returns:
        The same kind and shape; nothing is rounded or clipped, so that gradients pass.
    """
    return (images + 1.0) * 127.5


def check_unit(images):
    """Raise a ValueError for floats that aren't in [-1, 1].

    Args:
        images: float numpy array, of any shape.

    Raises:
        ValueError: the array holds NaN or infinity, or values outside of the range.
    """
    if not np.isfinite(images).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(images))[0])
        raise ValueError(f"The image holds NaN or infinity, first at index {first}.")
    if images.size and np.abs(images).max() > 1.0001:  # leaves room for rounding
        raise ValueError(
            "Floats must be in [-1, 1], the range of `keras_cyclegan.data.to_unit`. Received "
            f"values from {images.min():.6g} to {images.max():.6g}; pixels of 0 … 255 are uint8."
        )


def seems_zero_to_one(*images):
    """Return whether all values lie in [0, 1], the range of many other models."""
    return all(0 <= image.min() < image.max() <= 1 for image in images)


def _is_tensorflow(images):
    return "tensorflow" in sys.modules and sys.modules["tensorflow"].is_tensor(images)
