"""Whole photos in a graph of TensorFlow, for exports: `inference.working_size` in tensors."""

from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.working_size import EPSILON, RADIUS, SHRUNK, WORTHWHILE


def translate_at(run, size, multiple, images, fast):
    """Translate a batch of photos in [-1, 1]; those above `size` get the change of a smaller copy.

    A photo that isn't reduced goes through the same graph, where each resizing is the identity.
    """
    import tensorflow as tf

    shape = tf.shape(images)[1:3]
    short = tf.cast(tf.reduce_min(shape), "float32")
    fitting = tf.round(tf.cast(shape, "float32") * (size / multiple) / short)
    fitting = tf.maximum(1, tf.cast(fitting, "int32")) * multiple
    fitting = tf.unstack(tf.where(short > WORTHWHILE * size, fitting, shape))
    shape = tf.unstack(shape)
    reducing, enlarging = (
        [_resizing(*sides) for sides in zip(*pair, strict=True)]
        for pair in ((shape, fitting), (fitting, shape))
    )
    small = tf.clip_by_value(_apply(reducing, images), -1.0, 1.0)
    if run.change is not None:
        change, scale = runner(run.change).apply(small, fast), 1.0
    else:
        made, scale = run.apply(small, fast), SHRUNK
        if made.shape[-1] != images.shape[-1]:
            return tf.clip_by_value(_apply(enlarging, made), -1.0, 1.0)
        change = _before_tanh(made) - _before_tanh(small)
    windows = [_windows(side) for side in fitting]
    guide = tf.reduce_mean(small, axis=-1, keepdims=True)
    mean_guide, mean_change = _apply(windows, guide), _apply(windows, change)
    covariance = _apply(windows, guide * change) - mean_guide * mean_change
    variance = _apply(windows, guide * guide) - mean_guide**2
    slope = _apply(windows, covariance / (variance + EPSILON))
    detail = tf.reduce_mean(images, axis=-1, keepdims=True) - _apply(enlarging, guide)
    moved = _apply(enlarging, change) + _apply(enlarging, slope) * detail + _before_tanh(images)
    return tf.clip_by_value(tf.tanh(moved) / scale, -1.0, 1.0)


def _before_tanh(unit):
    import tensorflow as tf

    shrunk = tf.clip_by_value(SHRUNK * unit, -0.99, 0.99)
    return tf.math.log((1 + shrunk) / (1 - shrunk)) / 2  # LiteRT has no atanh


def _apply(matrices, images):
    """Multiply the columns, then the rows, of `(n, height, width, channels)` by a matrix each."""
    import tensorflow as tf

    for matrix in matrices:  # each turns the image on its side
        sides = tf.shape(images)
        flat = tf.reshape(images, (sides[0], sides[1], sides[2] * images.shape[-1]))
        sides = (sides[0], tf.shape(matrix)[0], sides[2], images.shape[-1])
        images = tf.transpose(tf.reshape(tf.matmul(matrix, flat), sides), (0, 2, 1, 3))
    return images


def _resizing(given, wanted):
    """Return the matrix of a bicubic interpolation as Pillow's, with antialiasing."""
    import tensorflow as tf

    step = tf.cast(given, "float32") / tf.cast(wanted, "float32")
    centres = (tf.range(tf.cast(wanted, "float32")) + 0.5) * step
    pixels = tf.range(tf.cast(given, "float32")) + 0.5
    away = tf.abs(centres[:, None] - pixels[None]) / tf.maximum(step, 1.0)
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((2.5 - 0.5 * away) * away - 4) * away + 2
    weights = tf.where(away < 1, near, tf.where(away < 2, far, 0.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _windows(side):
    """Return the matrix of the mean of a window around each pixel, mirrored at the edges."""
    import tensorflow as tf

    place = tf.range(side)[:, None] + tf.range(-RADIUS, RADIUS + 1)[None]
    place = tf.minimum(tf.maximum(place, -1 - place), 2 * side - 1 - place)
    return tf.reduce_mean(tf.one_hot(tf.maximum(place, 0), side), axis=1)
