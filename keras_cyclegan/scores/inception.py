"""The Inception-v3 of published FID tables, in Keras."""

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_cyclegan.arguments import PathLike, Tensor
from keras_cyclegan.files.download import cache_folder, fetch
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.scores.images import as_floats, require_rgb

WEIGHTS_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
WEIGHTS_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class InceptionFeatures:
    """Turns RGB images into the 2048 features on which published FID is computed.

    Szegedy et al. 2015, with the weights of Heusel et al. 2017. Matches the numbers of pytorch-fid
    0.3 (`InceptionV3`, block 3): images, uint8 or floats in [-1, 1], are resized to 299×299,
    bilinear without antialiasing, whatever their size.

    Args:
        weights: path of `pt_inception-2015-12-05-6726825d.pth`. None, the default, downloads it
            once (91 MB), or raises `DownloadError`.
        model: `keras.Model` in place of the published network, which None, the default, takes.

    Example:

    ```python
    inception = InceptionFeatures()  # one network for both scores
    kid = KernelInceptionDistance(inception)
    fid = FrechetInceptionDistance(inception)
    ```
    """

    protocol = {  # noqa: RUF012
        "extractor": "Inception-v3 pt_inception-2015-12-05, 2048 pooled features",
        "resizing": "bilinear to 299×299 without antialiasing, as pytorch-fid",
    }

    def __init__(self, weights: PathLike | None = None, model: keras.Model | None = None) -> None:
        if model is None:
            model = fid_inception(read_state_dict(weights or download_fid_weights()))
        elif weights is not None:
            raise ValueError("Give `weights` or a `model` that has them. Received both.")
        else:
            self.protocol = {**self.protocol, "extractor": f"Inception-v3 given as {model.name}"}
        self.model = model

    def __call__(self, images: Tensor) -> NDArray[np.float32]:
        require_rgb(images, "Inception")
        images = keras.ops.image.resize(
            as_floats(images), (299, 299), interpolation="bilinear", antialias=False,
            data_format="channels_last",
        )  # fmt: skip
        return self.model.predict_on_batch(images)


# Scores must not depend on `keras.config.image_data_format()` or on the global dtype policy.
_FIXED = {"data_format": "channels_last", "dtype": "float32"}
# Convolutions of each branch in order, by their names in pytorch-fid; those after the bar end it.
DOUBLE = "branch3x3dbl_1 branch3x3dbl_2 | branch3x3dbl_3"
BRANCHES_5 = ("| branch1x1", "branch5x5_1 | branch5x5_2", DOUBLE)
BRANCHES_6A = ("| branch3x3", DOUBLE)
BRANCHES_6 = (
    "| branch1x1",
    "branch7x7_1 branch7x7_2 | branch7x7_3",
    "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 | branch7x7dbl_5",
)
BRANCHES_7A = (
    "branch3x3_1 | branch3x3_2",
    "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 | branch7x7x3_4",
)
BRANCHES_7 = (
    "| branch1x1",
    "branch3x3_1 | branch3x3_2a branch3x3_2b",
    "branch3x3dbl_1 branch3x3dbl_2 | branch3x3dbl_3a branch3x3dbl_3b",
)


def fid_inception(state, input_shape=(299, 299, 3)):
    """Build the Inception-v3 of the TensorFlow-GAN evaluation, without its classifier.

    Szegedy et al. 2015. Names, filters, kernel sizes and weights are those of pytorch-fid's state
    dict. It differs from `keras.applications.InceptionV3` in its weights, in the scales of its
    batch normalisation, and from torchvision's in three pooling details: the average pools of 5b …
    6e and of 7b leave the padding out of the mean, and 7c has a **max** pool.
    """
    left = {
        key: value
        for key, value in state.items()
        if not key.startswith("fc.") and not key.endswith(".num_batches_tracked")
    }
    inputs = keras.Input(input_shape, dtype="float32")
    try:
        model = keras.Model(inputs, _features(inputs, left), name="fid_inception")
    except KeyError as error:
        raise ValueError(f"The state dict of pytorch-fid's Inception-v3 has {error}.") from error
    if left:
        raise ValueError(
            f"The state dict of pytorch-fid's Inception-v3 has no {', '.join(sorted(left)[:5])}."
        )
    return model


def _features(x, state):
    """Apply the network to images in [-1, 1]; each weight is taken out of the state dict."""
    x = _conv(x, state, "Conv2d_1a_3x3", strides=2, padding="valid")
    x = _conv(x, state, "Conv2d_2a_3x3", padding="valid")
    x = _conv(x, state, "Conv2d_2b_3x3")
    x = layers.MaxPooling2D(3, 2, name="pool_1", **_FIXED)(x)
    x = _conv(x, state, "Conv2d_3b_1x1")
    x = _conv(x, state, "Conv2d_4a_3x3", padding="valid")
    x = layers.MaxPooling2D(3, 2, name="pool_2", **_FIXED)(x)
    for letter in "bcd":
        x = _mixed(x, state, f"Mixed_5{letter}", BRANCHES_5)
    x = _mixed(x, state, "Mixed_6a", BRANCHES_6A, halve=True)
    for letter in "bcde":
        x = _mixed(x, state, f"Mixed_6{letter}", BRANCHES_6)
    x = _mixed(x, state, "Mixed_7a", BRANCHES_7A, halve=True)
    x = _mixed(x, state, "Mixed_7b", BRANCHES_7)
    x = _mixed(x, state, "Mixed_7c", BRANCHES_7, layers.MaxPooling2D)
    return layers.GlobalAveragePooling2D(name="pool", **_FIXED)(x)


def _mixed(x, state, name, branches, pooling=layers.AveragePooling2D, halve=False):
    """Concatenate branches and a pool, perhaps at half of the size."""
    outputs, last = [], {"strides": 2, "padding": "valid"} if halve else {}
    for branch in branches:
        before, _, ends = branch.partition("|")
        y = x
        for suffix in before.split():
            y = _conv(y, state, f"{name}.{suffix}")
        outputs += [_conv(y, state, f"{name}.{suffix}", **last) for suffix in ends.split()]
    if halve:
        outputs.append(layers.MaxPooling2D(3, 2, name=f"{name}.pool", **_FIXED)(x))
    else:
        # "same" leaves the padding out of a mean: TensorFlow's pooling, not torchvision's.
        pool = pooling(3, 1, "same", name=f"{name}.pool", **_FIXED)(x)
        outputs.append(_conv(pool, state, f"{name}.branch_pool"))
    return layers.Concatenate(dtype="float32", name=name)(outputs)


def _conv(x, state, name, strides=1, padding="same"):
    kernel = state.pop(f"{name}.conv.weight").transpose(2, 3, 1, 0)  # (out, in, height, width)
    conv = layers.Conv2D(
        *(kernel.shape[3], kernel.shape[:2], strides, padding),
        use_bias=False,
        name=f"{name}.conv",
        **_FIXED,
    )
    norm = layers.BatchNormalization(axis=-1, epsilon=1e-3, dtype="float32", name=f"{name}.bn")
    x = norm(conv(x))
    conv.set_weights([kernel])
    keys = ("weight", "bias", "running_mean", "running_var")
    norm.set_weights([state.pop(f"{name}.bn.{key}") for key in keys])
    return layers.ReLU(dtype="float32", name=f"{name}.relu")(x)


def fid_weights_path():
    """Return the path at which the published weights are kept."""
    return cache_folder() / "metrics" / WEIGHTS_URL.rpartition("/")[2]


def download_fid_weights(**options):
    """Download the published weights once, with the options of `fetch`, and return their path."""
    return fetch(WEIGHTS_URL, fid_weights_path(), sha256=WEIGHTS_SHA256, **options)
