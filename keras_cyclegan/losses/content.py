"""What of an image must be in its translation: content losses, and their term."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_cyclegan.arguments import Tensor, check_choice
from keras_cyclegan.losses import perceptual
from keras_cyclegan.losses.perceptual import mean_of_each
from keras_cyclegan.losses.pixels import ComparisonTerm
from keras_cyclegan.losses.similarity import local_moments
from keras_cyclegan.losses.weights import WeightedLoss

BINS = 16  # of the histograms
TINY = 1e-6


@keras.saving.register_keras_serializable("keras_cyclegan")
class ContentLoss(WeightedLoss):
    """Distance between an image and its translation in what both must share.

    The first three look at luminance alone, so that A and B may differ in channels:

    - `"edges"`: gradients point the same way, whatever their size and sign: 1 minus the squared
      cosine of the normalised gradient fields of Haber and Modersitzki 2006, in the form of König
      and Rühaak 2014, with the mean gradient of each image as ε. A negative scores 0.
    - `"mutual_information"`: gray values may change in any way, if each goes to one value: 1 minus
      the entropy correlation coefficient of Maes et al. 1997, of soft histograms of 16 bins (Parzen
      windows, Viola and Wells 1997). Made for other modalities.
    - `"structure"`: what is light stays lighter than what is around it: 1 minus the third factor of
      SSIM, Wang et al. 2004, eq. (10), in its 11×11 windows.
    - `"features"`: the features of a frozen network stay: Johnson et al. 2016, eq. (2).
    - a frozen `keras.Model` of yours, a segmenter for example: its answers stay. Hoffman et al.
      2018 (CyCADA), eq. (4): the cross-entropy of what it says of a translation, with the class
      that it gives to the image, where it ends in a softmax or in `from_logits`; else L1.

    Args:
        kind: one of these five. A model takes images in [-1, 1] and gives one tensor. It isn't kept
            in saved files: compile again after reloading.
        weight: float.
        extractor: for `"features"`: `"vgg16"` or `"efficientnet-lite1"`, see `PerceptualLoss`.
        depths: for `"features"`: which maps are compared: of the five blocks of VGG-16, before
            pooling, or of the four strides of EfficientNet-Lite1.
        from_logits: bool. Whether a model that ends without a softmax gives logits of classes.
    """

    default_name = "content"

    def __init__(
        self,
        kind: Any = "edges",
        weight: float = 1.0,
        extractor: str = "vgg16",
        depths: tuple[int, ...] = (3,),
        from_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, **kwargs)
        self.network: Any = kind if isinstance(kind, keras.Model) else None
        self.kind = "model" if self.network else kind
        check_choice("kind", self.kind, (*DISTANCES, "features", "model"))
        check_choice("extractor", extractor, tuple(perceptual.NAMED))
        self.extractor, self.depths, self.from_logits = extractor, tuple(depths), from_logits
        if self.kind == "features":  # made here, because a traced step may not make weights
            self.network = perceptual.NAMED[extractor](*self.depths)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if self.kind in DISTANCES:
            distance = DISTANCES[self.kind](luminance(y_true), luminance(y_pred))
        elif self.network is None:
            raise ValueError(
                "A file doesn't hold the model of a ContentLoss: compile again with it."
            )
        else:
            distance = self.compare(self.network(y_true), self.network(y_pred))
        return self.weight * distance

    def compare(self, true: Any, predicted: Any) -> Tensor:
        """Return the distance of each image's answers, `(batch,)`."""
        if self.kind == "features":
            return perceptual.feature_distance(true, predicted, "l2")
        last = self.network.layers[-1]
        softmax = getattr(last, "activation", None) is keras.activations.softmax
        if not (self.from_logits or softmax or isinstance(last, keras.layers.Softmax)):
            return perceptual.feature_distance(true, predicted, "l1")
        said = ops.one_hot(ops.argmax(true, axis=-1), true.shape[-1])
        if self.from_logits:
            return -mean_of_each(ops.sum(said * ops.log_softmax(predicted, axis=-1), axis=-1))
        return -mean_of_each(ops.log(ops.sum(said * predicted, axis=-1) + TINY))


class ContentTerm(ComparisonTerm):
    """A translation keeps the content of its image, in each direction that there is."""

    log_name = "content_{source}"
    pass_name = "fake_{target}"


def luminance(images):
    """Return `(n, height, width, 1)`: ITU-R 601 of three channels, the mean of others."""
    channels = images.shape[-1]
    weights = (0.299, 0.587, 0.114) if channels == 3 else (1 / channels,) * channels
    weights = ops.convert_to_tensor(np.array(weights, "float32")[:, None])
    return ops.matmul(ops.cast(images, "float32"), weights)


def edge_distance(first, second):
    """Return 1 minus the squared cosine of normalised gradients, `(n,)`."""
    (x_1, y_1), (x_2, y_2) = _gradients(first), _gradients(second)
    square_1, square_2 = x_1**2 + y_1**2, x_2**2 + y_2**2
    # ε², of each image: what is far below its mean gradient is flat.
    flat_1, flat_2 = (
        ops.square(ops.mean(ops.sqrt(square + TINY), axis=(1, 2, 3), keepdims=True))
        for square in (square_1, square_2)
    )
    inner = ops.abs(x_1 * x_2 + y_1 * y_2) + ops.sqrt(flat_1 * flat_2)
    return mean_of_each(1.0 - inner**2 / ((square_1 + flat_1) * (square_2 + flat_2)))


def information_distance(first, second):
    """Return 1 minus the entropy correlation coefficient of soft histograms, `(n,)`."""
    first, second = _memberships(first), _memberships(second)
    joint = ops.einsum("npi,npj->nij", first, second)
    joint = joint / ops.sum(joint, axis=(1, 2), keepdims=True)
    entropy_1, entropy_2 = _entropy(ops.sum(joint, axis=2)), _entropy(ops.sum(joint, axis=1))
    information = entropy_1 + entropy_2 - _entropy(ops.reshape(joint, (-1, BINS**2)))
    return 1.0 - 2.0 * information / (entropy_1 + entropy_2 + TINY)


def structure_distance(first, second):
    """Return 1 minus the structure factor of SSIM, `(n,)`."""
    _, _, variance_1, variance_2, covariance = local_moments(first, second)
    c3 = 0.03**2 / 2
    deviations = ops.sqrt(ops.maximum(variance_1 * variance_2, TINY**2))
    return mean_of_each(1.0 - (covariance + c3) / (deviations + c3))


DISTANCES = {
    "edges": edge_distance,
    "mutual_information": information_distance,
    "structure": structure_distance,
}


def _gradients(images):
    """Return differences to the right and down, `(n, height − 1, width − 1, 1)`."""
    corner = images[:, :-1, :-1]
    return images[:, :-1, 1:] - corner, images[:, 1:, :-1] - corner


def _memberships(images):
    """Return how much each pixel belongs to each bin, `(n, pixels, 16)`: a Gaussian of a bin."""
    width = 2.0 / (BINS - 1)
    centres = np.linspace(-1.0, 1.0, BINS, dtype="float32")
    values = ops.reshape(images, (ops.shape(images)[0], -1, 1))
    return ops.softmax(-0.5 * ops.square((values - centres) / (0.5 * width)), axis=-1)


def _entropy(shares):
    return -ops.sum(shares * ops.log(shares + 1e-12), axis=-1)
