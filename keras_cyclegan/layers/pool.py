"""The pool of past translations, and random numbers that are the same on every backend."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Configured, Tensor


@keras.saving.register_keras_serializable("keras_cyclegan")
class ImagePool(Configured, keras.layers.Layer):
    """History of translated images that the discriminators are trained on.

    While the pool fills, each image is stored and returned. Once it is full, each image either
    passes through (probability ½) or takes the place of a random stored image, which is returned
    instead. Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, section 4, with 50 images.
    Images of a batch pass one after the other; all batches have one known height and width. The
    state is made of non-trainable weights, for XLA and checkpoints, the random generator's too.

    Args:
        size: int. Images kept; with 0 all are returned as they are.
        seed: int. Seed of the random numbers, which are the same on every backend. None draws one.
    """

    def __init__(self, size: int = 50, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"`size` must be an int of at least 0. Received {size!r}.")
        self.size = size
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        if None in input_shape[1:] and self.size:
            raise ValueError(
                "An image pool stores images of one known size. Received shape "
                f"{tuple(input_shape)}. Use `size=0` for varying sizes."
            )
        if self.size:
            options = {"initializer": "zeros", "trainable": False}
            shape = (self.size, *input_shape[1:])
            self.images = self.add_weight(shape, autocast=False, name="images", **options)
            self.count = self.add_weight((), dtype="int32", name="count", **options)
        super().build(input_shape)

    def check_shape(self, images):
        """Refuse images of another shape than those that the pool was built for."""
        given, own = tuple(images.shape[1:]), self.size and tuple(self.images.shape[1:])
        if self.size and given != own:
            raise ValueError(
                f"This pool stores images of shape {own}. Received images of shape {given}. Build "
                "the model with their `image_shape`, or without a pool (`pool_size=0`)."
            )

    def call(self, images: Tensor) -> Tensor:
        if not self.size:
            return images
        self.check_shape(images)
        batch = ops.shape(images)[0]
        draws = random_integers(self.seed_generator.next(), batch)

        def exchange(i, state):
            stored, count, returned = state
            image = images[i]
            full = count >= self.size
            index = ops.where(full, draws[i] // 2 % self.size, count)
            old = ops.take(stored, index, axis=0)
            swap = ops.logical_and(full, draws[i] % 2 == 0)
            enters = ops.logical_or(swap, ops.logical_not(full))
            stored = _replace(stored, index, ops.where(enters, image, old))
            returned = _replace(returned, i, ops.where(swap, old, image))
            return stored, ops.minimum(count + 1, self.size), returned

        images = ops.cast(images, self.images.dtype)
        state = (ops.convert_to_tensor(self.images), ops.convert_to_tensor(self.count), images)
        stored, count, returned = ops.fori_loop(0, batch, exchange, state)
        self.images.assign(stored)
        self.count.assign(count)
        return returned

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras leaves the state of a layer's random generator out of the file.
        store["seed"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        own = {key: store[key] for key in store.keys()}  # noqa: SIM118, a store is no dict
        self.seed_generator.state.assign(own.pop("seed"))
        if self.built:  # a model that is loaded without `compile` has no use for the images
            super().load_own_variables(own)


def random_integers(state, count):
    """Draw `count` integers in [0, 2³¹), the same on every backend and inside of XLA.

    `keras.random` draws other numbers on each backend. These are hashes of the index and of what
    `SeedGenerator.next` returns, the seed and the number of earlier draws: C. Wellons's
    `lowbias32`, each output bit of which depends on every input bit.
    """
    state = ops.cast(state, "int32")
    return _hash(_hash(_hash(state[0]) ^ state[1]) ^ ops.arange(count, dtype="int32")) & 0x7FFFFFFF


def _hash(x):
    # uint32 held as int32, because torch lacks most operations on uint32; products wrap around.
    x = (x ^ _shift(x, 16)) * 0x7FEB352D
    x = (x ^ _shift(x, 15)) * (0x846CA68B - 2**32)
    return x ^ _shift(x, 16)


def _shift(x, bits):
    return ops.right_shift(x, bits) & (2 ** (32 - bits) - 1)


def _replace(images, index, image):
    start = (index, *([0] * (len(images.shape) - 1)))
    return ops.slice_update(images, start, image[None])
