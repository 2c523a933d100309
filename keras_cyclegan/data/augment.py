"""The random window and flip of a training image, as pure functions of a seed.

keras-cv's `RandomFlip` flips. Its random numbers are drawn here, because its own generator has a
state, which a killed run would lose. The window is a slice: keras-cv's `RandomCrop` samples the
image at positions between its pixels, and tf.data, which doesn't know the cost of that, prints a
long warning.
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
    if flip:
        from keras_cv import layers  # takes seconds, which a run without flips saves

        # Under a global policy of half precision the layer would round pixels.
        random_flip = layers.RandomFlip("horizontal", dtype="float32")

    def first(axis, image, seed):
        last = image.shape[axis] - size[axis]
        return tf.random.stateless_uniform((), fold_in(seed, axis), 0, last + 1, dtype="int32")

    def augment(image, seed):
        start = (first(0, image, seed), first(1, image, seed), 0)
        window = tf.cast(tf.slice(image, start, (*size, image.shape[2])), "float32")
        if not flip:
            return window
        draw = tf.random.stateless_uniform((1, 1), fold_in(seed, FLIP))
        draws = {"flip_horizontals": draw, "flip_verticals": tf.zeros((1, 1))}
        return random_flip.augment_images(window[None], draws)[0]

    return augment
