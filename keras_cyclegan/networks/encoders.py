"""Frozen, pretrained networks: by name, their maps, and as the first layers of a generator."""

import contextvars
import inspect

import keras
from keras import ops

from keras_cyclegan.arguments import Configured
from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.networks.efficientnet import VARIANTS, efficientnet_lite, normalise

PREFIX = "encoder_"  # of the names of frozen layers
STRIDES = (4, 8, 16, 32)
OWN = "own"  # in place of the name of a model that the user gave

# Whether frozen networks get their published weights: not where those of a file follow.
pretrained = contextvars.ContextVar("pretrained", default=True)


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


def application_maps(name, weights="imagenet"):
    """Make the frozen model of an application's last maps at strides 4, 8, 16 and 32."""
    make, _ = find_application(name, *VARIANTS, "a keras.Model")
    network = make(include_top=False, weights=weights, input_shape=(None, None, 3))
    maps = [layer.output for layer in network.layers if len(layer.output.shape) == 4]
    shapes = keras.Model(network.input, maps).compute_output_shape((1, 256, 256, 3))
    at_stride = {256 / shape[1]: tap for tap, shape in zip(maps, shapes, strict=True)}  # the last
    if missing := [stride for stride in STRIDES if stride not in at_stride]:
        raise ValueError(
            f"Features are taken at strides 4, 8, 16 and 32. {name} has none at "
            f"{' and '.join(map(str, missing))}: take another network, or give a keras.Model."
        )
    taps = keras.Model(network.input, [at_stride[stride] for stride in STRIDES])
    taps.trainable = False
    return taps


@keras.saving.register_keras_serializable("keras_cyclegan")
class EncoderInput(Configured, keras.layers.Layer):
    """Makes of images in [-1, 1], of any number of channels, what a frozen network expects.

    Of more than three channels it takes the first three; one or two it repeats. `network` names one
    of keras.applications, or is `"own"`, for images in [-1, 1]; else it is of `efficientnet`.
    """

    pointwise = True  # for `inference.tile_plan`

    def __init__(self, network=None, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def call(self, images):
        channels = images.shape[-1]
        if channels != 3:
            images = ops.stack([images[..., i % channels] for i in range(3)], axis=-1)
        if self.network in (None, OWN):
            return images if self.network else normalise(images)
        return find_application(self.network)[1](unit_to_pixels(images))


def add_encoder(images, encoder, dtype):
    """Add the layers of a frozen network; return its maps at strides 4, 8, … in this order."""
    if isinstance(encoder, keras.Model):
        network, preparation = encoder, OWN
    elif encoder in VARIANTS:
        network = efficientnet_lite(encoder, taps=True, dtype=dtype, pretrained=pretrained.get())
        preparation = None
    else:
        network = application_maps(encoder, "imagenet" if pretrained.get() else None)
        preparation = encoder
    sides = [x.shape[1] for x in keras.tree.flatten(network(keras.Input((256, 256, 3))))]
    if sides != [64, 32, 16, 8][: len(sides)]:
        raise ValueError(
            "An encoder gives maps at strides 4, 8, 16, 32 or the first of these. Received maps of "
            f"{sides} pixels of an image of 256."
        )
    prepare = EncoderInput(preparation, name="encoder_input", dtype="float32")
    return _add_copy(prepare(images), network, dtype)


def _add_copy(x, network, dtype):
    """Add a frozen copy of each layer, not the network as one, so that `inference.tiles` sees."""
    copies, outputs = {}, {}

    def copy(layer):
        config = {**layer.get_config(), "name": PREFIX + layer.name}
        if dtype is not None and "dtype" in config:
            config["dtype"] = dtype
        copies[layer.name] = type(layer).from_config(config)
        copies[layer.name].trainable = False
        return copies[layer.name]

    def call(layer, *args, **kwargs):
        outputs[layer.name] = layer(*args, **kwargs)
        return outputs[layer.name]

    ends = [keras.layers.Activation("linear", name=f"map{i}") for i in range(len(network.outputs))]
    named = [end(x) for end, x in zip(ends, network.outputs, strict=True)]
    network = keras.Model(network.input, named)
    options = {"clone_function": copy, "call_function": call, "input_tensors": x}
    keras.models.clone_model(network, **options)
    for layer in network.layers if pretrained.get() else ():
        if layer.weights:
            copies[layer.name].set_weights(layer.get_weights())
    return [outputs[PREFIX + end.name] for end in ends]
