"""Features of a frozen, pretrained network at several scales, randomly mixed."""

import concurrent.futures
import functools
import hashlib

import keras
import numpy as np
from keras import layers, ops

from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.networks.applications import find_application
from keras_cyclegan.networks.efficientnet import VARIANTS, efficientnet_lite, normalise

STRIDES = (4, 8, 16, 32)
MIXED = 64  # channels of each mixed map
OWN = "own"  # the name in a config of a model that the user gave


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedFeatures(layers.Layer):
    """Maps of a frozen network at several scales, mixed by random frozen convolutions.

    Args:
        features, num_scales, seed, features_hash: as for `ProjectedDiscriminator`.

    Call arguments:
        images: `(batch, height, width, 1 or 3)`, in [-1, 1].

    Returns:
        A list of float32 maps `(batch, rows, columns, 64)`, the finest first.
    """

    def __init__(
        self, features="efficientnet-lite1", num_scales=None, seed=0, features_hash=None, **kwargs
    ):
        super().__init__(**kwargs)
        given = features if isinstance(features, keras.Model) else None
        available = len(given.outputs) if given else len(STRIDES)
        if given is None and not isinstance(features, str):
            raise ValueError(
                "`features` is 'efficientnet-lite1', a network of keras.applications or a "
                f"keras.Model. Received {features!r}."
            )
        if features == OWN and num_scales:
            available = num_scales
        num_scales = num_scales or available
        if not 0 < num_scales <= available:
            raise ValueError(
                f"`num_scales` must be 1 to {available} here. Received num_scales={num_scales}."
            )
        self.features = OWN if given else features
        self.num_scales = num_scales
        self.seed = seed
        self.features_hash = features_hash
        if features in VARIANTS and features_hash is None:
            self.features_hash = VARIANTS[features].sha256
        self.strides = [4 * 2**i for i in range(num_scales)]
        # A function hides the frozen network from Keras, which would save and count its weights.
        self._network = functools.cache(lambda: _outside_of_scopes(self._make, given))

    def _make(self, given):
        if given is not None:
            return _Projection(given, _channels(given), self.num_scales, self.seed)
        if self.features == OWN:
            raise ValueError(
                "This ProjectedDiscriminator was made with your own model as `features`. Files "
                "don't hold that model: make a new one with it, and give it these weights."
            )
        if self.features in VARIANTS:
            self._check_hash(VARIANTS[self.features].sha256)  # before anything is made
        projection = _named_projection(self.features, self.num_scales, self.seed)
        self._check_hash(projection.hash)
        return projection

    def _check_hash(self, found):
        """Take the hash of the weights as they are; raise a ValueError if others are wanted."""
        if self.features_hash not in (None, found):
            raise ValueError(
                f"This discriminator was trained on weights of {self.features} whose SHA-256 is "
                f"{self.features_hash}. Those here have {found}."
            )
        self.features_hash = found

    def call(self, images):
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        return self._network()(images)

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        return [
            (batch, *(side and -(-side // stride) for side in size), MIXED)
            for stride in self.strides
        ]

    def get_config(self):
        own = ("features", "num_scales", "seed", "features_hash")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _outside_of_scopes(function, *arguments):
    """Call `function(*arguments)` outside of the graph, trace or scope that is open now.

    Each of these belongs to a thread, and variables made in one can't be used in another: so the
    call is made in a thread of its own.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


@functools.cache
def _named_projection(name, num_scales, seed):
    """Make one frozen network for all discriminators of a process with these arguments."""
    extract, channels, found = _named_features(name)
    return _Projection(extract, channels, num_scales, seed, found)


def _named_features(name):
    """Make a function from RGB images in [-1, 1] to maps at strides 4, 8, 16 and 32.

    Returns:
        The function, the channels of its maps, and the SHA-256 of its weights.
    """
    if name in VARIANTS:
        network = efficientnet_lite(name, taps=True)
        return (
            lambda images: network(normalise(images), training=False),
            _channels(network),
            VARIANTS[name].sha256,
        )
    make, preprocess = find_application(name, *VARIANTS, "a keras.Model")
    network = make(include_top=False, input_shape=(None, None, 3))
    maps = [layer.output for layer in network.layers if len(layer.output.shape) == 4]
    at_stride = {}
    sized = keras.Model(network.input, maps)(keras.Input((256, 256, 3)))
    for tap, shape in zip(maps, (one.shape for one in sized), strict=True):
        if shape[1] == shape[2] and 256 % shape[1] == 0:
            at_stride[256 // shape[1]] = tap  # the last of each stride stays
    if missing := [stride for stride in STRIDES if stride not in at_stride]:
        raise ValueError(
            f"Features are taken at strides 4, 8, 16 and 32. {name} has none at "
            f"{' and '.join(map(str, missing))}: take another network, or give a keras.Model."
        )
    taps = keras.Model(network.input, [at_stride[stride] for stride in STRIDES])
    taps.trainable = False
    found = hashlib.sha256(b"".join(np.ascontiguousarray(w) for w in taps.get_weights()))
    return (
        lambda images: taps(preprocess(unit_to_pixels(images)), training=False),
        _channels(taps),
        found.hexdigest(),
    )


def _channels(network):
    return [x.shape[-1] for x in network.outputs]


class _Projection:
    """A frozen network and the random convolutions that mix its maps, kept out of every model.

    Args:
        extract: function from images in [-1, 1] to a list of maps, the finest first.
        channels: list of int, of these maps.
        num_scales: int.
        seed: int.
        found: SHA-256 of the weights of `extract`, for a named network.
    """

    def __init__(self, extract, channels, num_scales, seed, found=None):
        self.extract = extract
        self.hash = found
        channels = channels[:num_scales]
        random = np.random.RandomState(seed)  # the same numbers in every version of numpy
        self.across = [self._kernel(random, 1, count) for count in channels]
        self.down = [self._kernel(random, 3, MIXED) for _ in channels[1:]]

    @staticmethod
    def _kernel(random, size, channels):
        """Draw as He et al. 2015, without the factor 2, which is for a ReLU that follows."""
        deviation = 1.0 / np.sqrt(size * size * channels)
        values = deviation * random.standard_normal((size, size, channels, MIXED))
        return keras.Variable(values.astype("float32"), dtype="float32", trainable=False)

    def __call__(self, images):
        maps = self.extract(images)[: len(self.across)]
        mixed, coarser = [], None
        for i in reversed(range(len(self.across))):
            x = ops.conv(ops.cast(maps[i], "float32"), self.across[i].value, padding="valid")
            if coarser is not None:
                above = ops.conv(coarser, self.down[i].value, padding="same")
                height, width = ops.shape(x)[1:3]
                above = ops.image.resize(above, _doubled(above), interpolation="bilinear")
                x = x + above[:, :height, :width]
            mixed.append(coarser := x)
        return mixed[::-1]


def _doubled(x):
    height, width = ops.shape(x)[1:3]
    return 2 * height, 2 * width
