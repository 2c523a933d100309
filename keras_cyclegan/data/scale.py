"""uint8 images to the networks' range [-1, 1], and back. No other file knows this range."""

import sys

import keras
import numpy as np


def to_unit(images):
    """Scales pixels from 0 … 255 to [-1, 1], the range of the generators' tanh.

    Args:
        images: uint8 numpy array, or tensor of any backend, of any shape.

    Returns:
        float32, same kind and shape: `images / 127.5 - 1`.
    """
    if isinstance(images, np.ndarray):
        return images.astype("float32") / 127.5 - 1.0
    if _is_tensorflow(images):
        # In tf.data a tensor is TensorFlow's, whichever backend Keras trains with.
        import tensorflow as tf

        return tf.cast(images, "float32") / 127.5 - 1.0
    return keras.ops.cast(images, "float32") / 127.5 - 1.0


def from_unit(images):
    """Scales from [-1, 1] back to pixels: rounded to the nearest, and clipped to 0 … 255.

    Args:
        images: float numpy array, or tensor of any backend, of any shape.

    Returns:
        uint8, same kind and shape. `from_unit(to_unit(images))` is `images`, exactly.
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


def _is_tensorflow(images):
    return "tensorflow" in sys.modules and sys.modules["tensorflow"].is_tensor(images)
