"""Frozen, pretrained networks: by name, their maps, and as the first layers of a generator."""

import hashlib
import inspect

import keras
import numpy as np
from keras import ops

from keras_cyclegan.networks.efficientnet import add_lite, normalise

PREFIX = "encoder_"  # of the names of frozen layers
STRIDES = (4, 8, 16, 32)


def find_application(name, *others):
    """Return the function that makes a network of `keras.applications`, and its preprocessing.

    `others` are what else the user could have named, for the error.
    """
    modules = {
        network: module
        for _, module in inspect.getmembers(keras.applications, inspect.ismodule)
        for network, _ in inspect.getmembers(module, inspect.isfunction)
        if network[0].isupper()
    }
    if name not in modules:
        raise ValueError(
            f"Expected {', '.join(others)}, or a network of keras.applications: "
            f"{', '.join(modules)}. Received {name!r}."
        )
    return getattr(modules[name], name), modules[name].preprocess_input


def tapped(network, name):
    """Make the frozen model of a network's last maps at strides 4, 8, 16 and 32."""
    maps = [layer.output for layer in network.layers if len(layer.output.shape) == 4]
    at_stride = {}
    sized = keras.Model(network.input, maps)(keras.Input((256, 256, 3)))
    for tap, (_, height, width, _) in zip(maps, (one.shape for one in sized), strict=True):
        if height == width and 256 % height == 0:
            at_stride[256 // height] = tap  # the last of each stride stays
    if missing := [stride for stride in STRIDES if stride not in at_stride]:
        raise ValueError(
            f"Features are taken at strides 4, 8, 16 and 32. {name} has none at "
            f"{' and '.join(map(str, missing))}: take another network, or give a keras.Model."
        )
    taps = keras.Model(network.input, [at_stride[stride] for stride in STRIDES])
    taps.trainable = False
    return taps


def hash_of(network):
    """Return the SHA-256 of a network's weights."""
    weights = b"".join(np.ascontiguousarray(w) for w in network.get_weights())
    return hashlib.sha256(weights).hexdigest()


@keras.saving.register_keras_serializable("keras_cyclegan")
class EncoderInput(keras.layers.Layer):
    """Makes of images in [-1, 1], of any number of channels, what ImageNet's networks expect.

    Of more than three channels it takes the first three; one or two it repeats.
    """

    pointwise = True  # for `inference.tile_plan`

    def call(self, images):
        channels = images.shape[-1]
        if channels != 3:
            images = ops.stack([images[..., i % channels] for i in range(3)], axis=-1)
        return normalise(images)


def add_encoder(images, encoder, dtype):
    """Add the layers of a frozen network; return its maps at strides 4, 8, 16 and 32."""
    x = EncoderInput(name="encoder_input", dtype="float32")(images)
    return add_lite(x, encoder, PREFIX, dtype)
