"""keras-cv's crop and flip, with random numbers that are drawn here and not by its layers.

The layers' own generator has a state, which a killed run would lose. Here every random number is a
pure function of a seed.
"""

FLIP = 2  # number of the draw for the flip; 0 and 1 are the window's place along those axes


def crop_and_flip(size, flip=True):
    """Make a function that cuts a random window out of an image, and flips half of the images.

    Args:
        size: `(height, width)` of the window.
        flip: bool. Whether to mirror left and right with probability ½.

    Returns:
        A function of an image, `(height, width, channels)` of known shape, and a stateless seed,
        two int64. It returns a float32 tensor, `(*size, channels)`, of unscaled pixel values.
    """
    import tensorflow as tf
    from keras_cv import layers

    # Under a global policy of half precision the layers would round pixels.
    random_crop = layers.RandomCrop(*size, dtype="float32")
    random_flip = layers.RandomFlip("horizontal", dtype="float32")
    fold_in = tf.random.experimental.stateless_fold_in

    def window(axis, image, seed):
        length = image.shape[axis]
        offset = tf.random.stateless_uniform(
            (), fold_in(seed, axis), 0, length - size[axis] + 1, dtype="int32"
        )
        return tf.reshape(_fraction(offset, length, size[axis]), (1, 1))

    def augment(image, seed):
        images = tf.pad(image[None], [[0, 0], [1, 1], [1, 1], [0, 0]])
        images = random_crop.augment_images(
            images, {"tops": window(0, image, seed), "lefts": window(1, image, seed)}
        )
        if flip:
            draw = tf.random.stateless_uniform((1, 1), fold_in(seed, FLIP))
            images = random_flip.augment_images(
                images, {"flip_horizontals": draw, "flip_verticals": tf.zeros((1, 1))}
            )
        return tf.ensure_shape(images[0], (*size, image.shape[2]))

    return augment


def _fraction(offset, length, window):
    """Return the number with which RandomCrop cuts exactly `window` pixels from `offset` on.

    It samples the nearest pixel at positions that drift by `slack / length` pixels from the first
    one to the last, and that must stay inside of the image. Starting half that drift earlier, and
    with a border of one pixel around the image, each position is nearest to the right pixel,
    whatever the lengths. Otherwise columns are doubled or left out where a window is small.
    """
    import tensorflow as tf

    length = length + 2
    slack = length - window
    start = tf.cast(offset + 1, "float32") - slack / (2 * length)
    return start * (length / (length - 1)) / slack
