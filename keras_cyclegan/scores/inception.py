"""The Inception-v3 of published FID tables, in Keras."""

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_cyclegan.arguments import PathLike, Tensor
from keras_cyclegan.scores.images import as_floats

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
        weights: path of `pt_inception-2015-12-05-6726825d.pth`. `None`, the default, downloads it
            once (91 MB).
        model: `keras.Model` to use in place of the published network. Excludes `weights`. None, the
            default, takes the published network.

    Call arguments:
        images: RGB, `(batch, height, width, 3)`: uint8, or floats in [-1, 1].

    Returns:
        float32 array, `(batch, 2048)`.

    Raises:
        DownloadError: the weights can't be downloaded.
        ValueError: `weights` and `model` are both given, or the file holds other weights; when
            called, the images aren't RGB.

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
        if len(images.shape) != 4 or images.shape[-1] != 3:
            raise ValueError(
                "Inception takes RGB images, `(batch, height, width, 3)`. "
                f"Received {tuple(images.shape)}."
            )
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
    are named after the keys of pytorch-fid's state dict, whose definition this is.

    Returns:
        A functional `keras.Model` with random weights, from RGB in [-1, 1] to `(batch, 2048)`. Its
        blocks' outputs are layers `"pool_1"`, `"pool_2"`, `"Mixed_5b"` … `"Mixed_7c"`, `"pool"`.
    """
    inputs = keras.Input(input_shape, dtype="float32")
    x = _conv(inputs, "Conv2d_1a_3x3", 32, 3, strides=2, padding="valid")
    x = _conv(x, "Conv2d_2a_3x3", 32, 3, padding="valid")
    x = _conv(x, "Conv2d_2b_3x3", 64, 3)
    x = layers.MaxPooling2D(3, 2, name="pool_1", **_FIXED)(x)
    x = _conv(x, "Conv2d_3b_1x1", 80, 1)
    x = _conv(x, "Conv2d_4a_3x3", 192, 3, padding="valid")
    x = layers.MaxPooling2D(3, 2, name="pool_2", **_FIXED)(x)
    x = _block_a(x, "Mixed_5b", pool_filters=32)
    x = _block_a(x, "Mixed_5c", pool_filters=64)
    x = _block_a(x, "Mixed_5d", pool_filters=64)
    x = _block_b(x, "Mixed_6a")
    x = _block_c(x, "Mixed_6b", filters=128)
    x = _block_c(x, "Mixed_6c", filters=160)
    x = _block_c(x, "Mixed_6d", filters=160)
    x = _block_c(x, "Mixed_6e", filters=192)
    x = _block_d(x, "Mixed_7a")
    x = _block_e(x, "Mixed_7b", layers.AveragePooling2D)
    x = _block_e(x, "Mixed_7c", layers.MaxPooling2D)
    x = layers.GlobalAveragePooling2D(name="pool", **_FIXED)(x)
    return keras.Model(inputs, x, name=name)


def load_fid_weights(model, path):
    """Load pytorch-fid's published file into `fid_inception()`; nothing in it is executed."""
    from keras_cyclegan.files.torch_checkpoint import read_state_dict

    assign_state_dict(model, read_state_dict(path))


def assign_state_dict(model, state):
    """Assign pytorch-fid's state dict, less its classifier, which features don't use.

    Raises:
        ValueError: a key is missing, unknown or of another shape. The message names the keys.
    """
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
    from keras_cyclegan.files.download import cache_folder

    return cache_folder() / "metrics" / WEIGHTS_URL.rpartition("/")[2]


def download_fid_weights(**options):
    """Download the published weights once, with the options of `fetch`, and return their path."""
    from keras_cyclegan.files.download import fetch

    return fetch(WEIGHTS_URL, fid_weights_path(), sha256=WEIGHTS_SHA256, **options)


def _conv(x, name, filters, kernel_size, strides=1, padding="same"):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding, use_bias=False, name=f"{name}.conv", **_FIXED
    )(x)
    x = layers.BatchNormalization(axis=-1, epsilon=1e-3, dtype="float32", name=f"{name}.bn")(x)
    return layers.ReLU(dtype="float32", name=f"{name}.relu")(x)


def _pool(layer, x, name):
    # "same" leaves the padding out of a mean: TensorFlow's pooling, not torchvision's.
    return layer(3, 1, "same", name=f"{name}.pool", **_FIXED)(x)


def _chain(x, name, *convolutions, **options):
    """Apply convolutions one after the other, each `(suffix, filters, kernel size)`."""
    for suffix, filters, kernel_size in convolutions[:-1]:
        x = _conv(x, f"{name}.{suffix}", filters, kernel_size)
    suffix, filters, kernel_size = convolutions[-1]
    return _conv(x, f"{name}.{suffix}", filters, kernel_size, **options)


def _join(branches, name):
    return layers.Concatenate(dtype="float32", name=name)(branches)


def _block_a(x, name, pool_filters):
    pool = _pool(layers.AveragePooling2D, x, name)
    double = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    return _join(
        [
            _chain(x, name, ("branch1x1", 64, 1)),
            _chain(x, name, ("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
            _chain(x, name, *double),
            _chain(pool, name, ("branch_pool", pool_filters, 1)),
        ],
        name,
    )


def _block_b(x, name):
    halving = {"strides": 2, "padding": "valid"}
    double = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    branch = _chain(x, name, ("branch3x3", 384, 3), **halving)
    double = _chain(x, name, *double, **halving)
    pool = layers.MaxPooling2D(3, 2, name=f"{name}.pool", **_FIXED)(x)
    return _join([branch, double, pool], name)


def _block_c(x, name, filters):
    single = [("branch7x7_1", filters, 1), ("branch7x7_2", filters, (1, 7))]
    sides = [1, (7, 1), (1, 7), (7, 1)]
    double = [(f"branch7x7dbl_{i}", filters, side) for i, side in enumerate(sides, 1)]
    pool = _pool(layers.AveragePooling2D, x, name)
    return _join(
        [
            _chain(x, name, ("branch1x1", 192, 1)),
            _chain(x, name, *single, ("branch7x7_3", 192, (7, 1))),
            _chain(x, name, *double, ("branch7x7dbl_5", 192, (1, 7))),
            _chain(pool, name, ("branch_pool", 192, 1)),
        ],
        name,
    )


def _block_d(x, name):
    halving = {"strides": 2, "padding": "valid"}
    sides = [1, (1, 7), (7, 1), 3]
    double = [(f"branch7x7x3_{i}", 192, side) for i, side in enumerate(sides, 1)]
    branch = _chain(x, name, ("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3), **halving)
    pool = layers.MaxPooling2D(3, 2, name=f"{name}.pool", **_FIXED)(x)
    return _join([branch, _chain(x, name, *double, **halving), pool], name)


def _block_e(x, name, pooling):
    branch = _chain(x, name, ("branch3x3_1", 384, 1))
    double = _chain(x, name, ("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3))
    branches = [_chain(x, name, ("branch1x1", 320, 1))]
    for part, prefix in ((branch, "branch3x3_2"), (double, "branch3x3dbl_3")):
        branches.append(_chain(part, name, (f"{prefix}a", 384, (1, 3))))
        branches.append(_chain(part, name, (f"{prefix}b", 384, (3, 1))))
    branches.append(_chain(_pool(pooling, x, name), name, ("branch_pool", 192, 1)))
    return _join(branches, name)
