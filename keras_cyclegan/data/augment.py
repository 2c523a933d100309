"""The random window and flip of a training image, as pure functions of a seed.

Generators with a state, such as those of keras-cv's layers, would be lost with a killed run. Its
`RandomFlip` also takes ten times as long: it mirrors every image, both ways, and then chooses
pixel by pixel.
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

    fold_in = tf.random.experimental.stateless_fold_in

    def first(axis, image, seed):
        last = image.shape[axis] - size[axis]
        return tf.random.stateless_uniform((), fold_in(seed, axis), 0, last + 1, dtype="int32")

    def augment(image, seed):
        start = (first(0, image, seed), first(1, image, seed), 0)
        window = tf.slice(image, start, (*size, image.shape[2]))
        if flip:
            mirrored = tf.random.stateless_uniform((), fold_in(seed, FLIP)) > 0.5
            window = tf.cond(mirrored, lambda: tf.reverse(window, [1]), lambda: window)
        return tf.cast(window, "float32")

    return augment
