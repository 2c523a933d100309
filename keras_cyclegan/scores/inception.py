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
# Only the first 8 digits are published, in the file's name.
WEIGHTS_SHA256 = "6726825d"


class InceptionFeatures:
    """Turns images into the 2048 features on which published FID is computed.

    Szegedy et al. 2015, with the weights of Heusel et al. 2017. Matches the numbers of pytorch-fid
    0.3 (`InceptionV3`, block 3): images are resized to 299×299, bilinear without antialiasing,
    whatever their size.

    Args:
        weights: path of `pt_inception-2015-12-05-6726825d.pth`. None, the default, downloads it
            once (91 MB), or raises `DownloadError`.
        model: `keras.Model` in place of the published network, which None, the default, takes.

    Call arguments:
        images: RGB, `(batch, height, width, 3)`: uint8, or floats in [-1, 1].

    Returns:
        float32 array, `(batch, 2048)`.

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
            model = fid_inception()
            load_fid_weights(model, weights or download_fid_weights())
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


def fid_inception(input_shape=(299, 299, 3), name="fid_inception"):
    """Build the Inception-v3 of the TensorFlow-GAN evaluation, without its classifier.

    Szegedy et al. 2015. It differs from `keras.applications.InceptionV3` in its weights, in the
    scales of its batch normalisation, and from torchvision's in three pooling details: the average
    pools of 5b … 6e and of 7b leave the padding out of the mean, and 7c has a **max** pool. Layers
    are named after the keys of pytorch-fid's state dict, whose definition this is; its blocks'
    outputs are layers `"pool_1"`, `"pool_2"`, `"Mixed_5b"` … `"Mixed_7c"`, `"pool"`.
    """
    inputs = keras.Input(input_shape, dtype="float32")
    x = _conv(inputs, "Conv2d_1a_3x3", 32, 3, strides=2, padding="valid")
    x = _conv(x, "Conv2d_2a_3x3", 32, 3, padding="valid")
    x = _conv(x, "Conv2d_2b_3x3", 64, 3)
    x = layers.MaxPooling2D(3, 2, name="pool_1", **_FIXED)(x)
    x = _conv(x, "Conv2d_3b_1x1", 80, 1)
    x = _conv(x, "Conv2d_4a_3x3", 192, 3, padding="valid")
    x = layers.MaxPooling2D(3, 2, name="pool_2", **_FIXED)(x)
    for letter, pool_filters in zip("bcd", (32, 64, 64), strict=True):
        x = _mixed(x, f"Mixed_5{letter}", BRANCHES_5, pool_filters)
    x = _mixed(x, "Mixed_6a", BRANCHES_6A)
    for letter, filters in zip("bcde", (128, 160, 160, 192), strict=True):
        x = _mixed(x, f"Mixed_6{letter}", _branches_of_6(filters), 192)
    x = _mixed(x, "Mixed_7a", BRANCHES_7A)
    x = _mixed(x, "Mixed_7b", BRANCHES_7, 192)
    x = _mixed(x, "Mixed_7c", BRANCHES_7, 192, layers.MaxPooling2D)
    x = layers.GlobalAveragePooling2D(name="pool", **_FIXED)(x)
    return keras.Model(inputs, x, name=name)


# The convolutions of each branch in order: (name, filters, kernel size). A list forks.
WIDE, TALL = (1, 7), (7, 1)
DOUBLE_3 = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3))
BRANCHES_5 = (
    (("branch1x1", 64, 1),),
    (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
    DOUBLE_3,
)
BRANCHES_6A = ((("branch3x3", 384, 3),), DOUBLE_3)
BRANCHES_7A = (
    (("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)),
    tuple((f"branch7x7x3_{i}", 192, k) for i, k in enumerate((1, WIDE, TALL, 3), 1)),
)
BRANCHES_7 = (
    (("branch1x1", 320, 1),),
    (("branch3x3_1", 384, 1), [("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]),
    (
        *(("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3)),
        [("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))],
    ),
)


def _branches_of_6(filters):
    double = [(f"branch7x7dbl_{i}", filters, k) for i, k in enumerate((1, TALL, WIDE, TALL), 1)]
    single = ("branch7x7_1", filters, 1), ("branch7x7_2", filters, WIDE), ("branch7x7_3", 192, TALL)
    return (("branch1x1", 192, 1),), single, (*double, ("branch7x7dbl_5", 192, WIDE))


def _mixed(x, name, branches, pool_filters=None, pooling=layers.AveragePooling2D):
    """Concatenate branches and a pool; without filters for the pool, at half of the size."""
    last = {} if pool_filters else {"strides": 2, "padding": "valid"}
    outputs = []
    for *first, end in branches:
        branch = x
        for suffix, filters, kernel_size in first:
            branch = _conv(branch, f"{name}.{suffix}", filters, kernel_size)
        for suffix, filters, kernel_size in end if isinstance(end, list) else [end]:
            outputs.append(_conv(branch, f"{name}.{suffix}", filters, kernel_size, **last))
    if pool_filters:
        # "same" leaves the padding out of a mean: TensorFlow's pooling, not torchvision's.
        pool = pooling(3, 1, "same", name=f"{name}.pool", **_FIXED)(x)
        outputs.append(_conv(pool, f"{name}.branch_pool", pool_filters, 1))
    else:
        outputs.append(layers.MaxPooling2D(3, 2, name=f"{name}.pool", **_FIXED)(x))
    return layers.Concatenate(dtype="float32", name=name)(outputs)


def _conv(x, name, filters, kernel_size, strides=1, padding="same"):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding, use_bias=False, name=f"{name}.conv", **_FIXED
    )(x)
    x = layers.BatchNormalization(axis=-1, epsilon=1e-3, dtype="float32", name=f"{name}.bn")(x)
    return layers.ReLU(dtype="float32", name=f"{name}.relu")(x)


def load_fid_weights(model, path):
    """Load pytorch-fid's published file into `fid_inception()`; nothing in it is executed."""
    assign_state_dict(model, read_state_dict(path))


def assign_state_dict(model, state):
    """Assign pytorch-fid's state dict, less its classifier, which features don't use."""
    wanted = {}
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            wanted[f"{layer.name}.weight"] = layer.kernel
        elif isinstance(layer, layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
            values = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
            wanted |= {f"{layer.name}.{n}": value for n, value in zip(names, values, strict=True)}
    given = {  # torch's kernels are (out, in, height, width)
        key: value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
        for key, value in state.items()
        if not key.startswith("fc.") and not key.endswith(".num_batches_tracked")
    }
    wrong = sorted(wanted.keys() ^ given.keys()) or [
        f"{key} {given[key].shape}, expected {tuple(variable.shape)}"
        for key, variable in wanted.items()
        if tuple(variable.shape) != given[key].shape
    ]
    if wrong:
        raise ValueError(
            "This is not the state dict of pytorch-fid's Inception-v3. Missing, unknown or of "
            f"another shape: {', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}."
        )
    for key, variable in wanted.items():
        variable.assign(given[key])


def fid_weights_path():
    """Return the path at which the published weights are kept."""
    return cache_folder() / "metrics" / WEIGHTS_URL.rpartition("/")[2]


def download_fid_weights(**options):
    """Download the published weights once, with the options of `fetch`, and return their path."""
    return fetch(WEIGHTS_URL, fid_weights_path(), sha256=WEIGHTS_SHA256, **options)
