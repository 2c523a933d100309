"""The layers that Keras lacks: reflection padding, a skip, spectral norm, the image pool."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_cyclegan")
class ReflectionPadding2D(keras.layers.Layer):
    """Surrounds images with their own mirror image, the edge pixel not repeated.

    Equals `torch.nn.ReflectionPad2d`. It keeps the borders of a translation free of the frame that
    zeros would draw.

    Args:
        padding: int. Pixels added on each of the four sides; must be smaller than the image.

    Call arguments:
        images: `(batch, height, width, channels)`; height and width may be unknown.

    Returns:
        `(batch, height + 2 * padding, width + 2 * padding, channels)`.

    Example:

    ```python
    ReflectionPadding2D(3)(keras.ops.ones((1, 8, 8, 3))).shape  # (1, 14, 14, 3)
    ```
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"`padding` must be an int of at least 0. Received {padding!r}.")
        self.padding = padding

    def call(self, images):
        if not self.padding:
            return images  # torch refuses to pad by nothing
        side = (self.padding, self.padding)
        return ops.pad(images, ((0, 0), side, side, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return batch, height and height + grow, width and width + grow, channels

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("keras_cyclegan")
class InputSkip(keras.layers.Layer):
    """Adds an image to what a tanh is given, so that without an addition the image comes out.

    `tanh(h + artanh(0.98 · image))` is the image, 2 % nearer to gray, where h is 0; where h is
    large it is whatever h asks for. Unlike a gate between the two it passes the whole gradient on
    to h from the first step.

    Call arguments:
        inputs: h and the images, both `(batch, height, width, channels)`; images in [-1, 1].

    Returns:
        `h + artanh(0.98 · images)`, of the same shape, for a tanh to follow.

    Example:

    ```python
    skip = InputSkip(dtype="float32")
    translated = keras.ops.tanh(skip([h, images]))
    ```
    """

    def call(self, inputs):
        change, images = inputs
        # Images that overshoot [-1, 1] a little, as after a bicubic resize, stay finite.
        shrunk = ops.clip(0.98 * images, -0.99, 0.99)
        return change + 0.5 * (ops.log(1.0 + shrunk) - ops.log(1.0 - shrunk))

    def compute_output_shape(self, input_shape):
        change, images = input_shape
        if change[-1] != images[-1]:
            raise ValueError(
                f"A skip needs equal channels. Received {change[-1]} and {images[-1]}."
            )
        return change


@keras.saving.register_keras_serializable("keras_cyclegan")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides the kernel of a layer by its largest singular value, which bounds its slope.

    Miyato et al. 2018. One power iteration at each call in training finds the value; gradients
    pass through the division, on every backend. `keras.layers.SpectralNormalization` assigns the
    divided kernel in place of that: on JAX, where a gradient is taken of a function, its kernel
    and gradients differ from the other backends'.

    Args:
        layer: layer with a `kernel` whose last axis are the outputs: `Conv2D`, `Dense`.

    Call arguments:
        inputs: what the layer takes.
        training: bool. Whether to keep the iterate, which starts at random.

    Returns:
        What the layer gives.

    Example:

    ```python
    conv = SpectralNormalization(keras.layers.Conv2D(64, 4, strides=2))
    ```
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.autocast = False  # the iteration is in float32 under every policy

    def build(self, input_shape):
        super().build(input_shape)
        if not hasattr(self.layer, "kernel"):
            raise ValueError(
                f"Spectral norm divides a layer's kernel. Received {type(self.layer).__name__}, "
                "which has none."
            )
        self.vector = self.add_weight(
            shape=(self.layer.kernel.shape[-1],),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            dtype="float32",
            trainable=False,
            name="vector",
        )

    def call(self, inputs, training=False):
        kernel = ops.cast(self.layer.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        left = _unit(ops.matmul(fixed, _unit(self.vector)))
        right = _unit(ops.matmul(left, fixed))
        if training:
            self.vector.assign(right)
        largest = ops.sum(left * ops.matmul(matrix, right))
        # The layer runs with the divided kernel in place of its own, which stays what it is.
        values = [
            (weight, kernel / largest if weight is self.layer.kernel else weight.value)
            for weight in self.layer.weights
        ]
        with keras.StatelessScope(values):
            return self.layer(inputs)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)


@keras.saving.register_keras_serializable("keras_cyclegan")
class ImagePool(keras.layers.Layer):
    """History of translated images that the discriminators are trained on.

    While the pool fills, each image is stored and returned. Once it is full, each image either
    passes through (probability ½) or takes the place of a random stored image, which is returned
    instead. Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, section 4, with 50 images.
    Images of a batch pass one after the other.

    The state is made of non-trainable weights, so that the pool works inside XLA and a training
    checkpoint holds all of it, the random generator's state included. The draws are those of
    `random_integers`: from one seed, the same on every backend.

    Args:
        size: int. Images kept; 0 returns every image as it is.
        seed: int or None. Seed of the draws.

    Call arguments:
        images: `(batch, height, width, channels)`, of one height and width for the pool's life.

    Returns:
        Images of the same shape, each the given one or an older one.
    """

    def __init__(self, size=50, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"`size` must be an int of at least 0. Received {size!r}.")
        self.size = size
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if None in input_shape[1:] and self.size:
            raise ValueError(
                "An image pool stores images of one size: height, width and channels must be "
                f"known. Received shape {tuple(input_shape)}. Use `size=0` for varying sizes."
            )
        if self.size:
            self.images = self.add_weight(
                shape=(self.size, *input_shape[1:]),
                initializer="zeros",
                trainable=False,
                autocast=False,
                name="images",
            )
            self.count = self.add_weight(
                shape=(), dtype="int32", initializer="zeros", trainable=False, name="count"
            )
        super().build(input_shape)

    def check_shape(self, images):
        """Refuse images of another shape than those that the pool was built for."""
        if self.size and tuple(images.shape[1:]) != tuple(self.images.shape[1:]):
            raise ValueError(
                f"This pool stores images of shape {tuple(self.images.shape[1:])}. Received images "
                f"of shape {tuple(images.shape[1:])}. Build the model for the size of its training "
                "images (`image_shape`), or without a pool (`pool_size=0`)."
            )

    def call(self, images):
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

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras leaves the state of a layer's random generator out of the file.
        store["seed"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        own = {key: store[key] for key in store.keys()}  # noqa: SIM118, a store is no dict
        self.seed_generator.state.assign(own.pop("seed"))
        if self.built:  # a model that is loaded without `compile` has no use for the images
            super().load_own_variables(own)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "seed": self.seed}


def random_integers(state, count):
    """`count` integers in [0, 2³¹), the same on every backend and inside of XLA.

    `keras.random` draws other numbers on each backend. These are hashes of the seed, the turn and
    the place: C. Wellons's `lowbias32`, whose every output bit depends on every input bit.

    Args:
        state: the two integers that `keras.random.SeedGenerator.next` returns: seed and turn.
        count: int, or scalar tensor.

    Returns:
        int32 tensor `(count,)`.
    """
    state = ops.cast(state, "int32")
    return _hash(_hash(_hash(state[0]) ^ state[1]) ^ ops.arange(count, dtype="int32")) & 0x7FFFFFFF


def _hash(x):
    # uint32 in the bits of int32, because torch hardly calculates with the former: products wrap.
    x = (x ^ _shift(x, 16)) * 0x7FEB352D
    x = (x ^ _shift(x, 15)) * (0x846CA68B - 2**32)
    return x ^ _shift(x, 16)


def _shift(x, bits):
    """Shifts to the right, zeros coming in from the left."""
    return ops.right_shift(x, bits) & (2 ** (32 - bits) - 1)


def _replace(images, index, image):
    """`images` with `image` at `index` of the first axis."""
    start = (index, *([0] * (len(images.shape) - 1)))
    return ops.slice_update(images, start, image[None])
