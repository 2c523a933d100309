"""The losses of CycleGAN as `keras.losses.Loss` objects that carry their weight."""

import keras
from keras import ops

from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.networks.building_blocks import check_choice


class _WeightedLoss(keras.losses.Loss):
    """A loss whose config holds its `kind` and its `weight`."""

    kinds = ()

    def __init__(self, kind, weight, name, reduction="sum_over_batch_size", dtype="float32"):
        check_choice(self.kind_argument, kind, self.kinds)
        if not weight >= 0:
            raise ValueError(
                f"`weight` must be a number of at least 0. Received weight={weight!r}."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.weight = float(weight)
        setattr(self, self.kind_argument, kind)

    def get_config(self):
        return {
            **super().get_config(),
            self.kind_argument: getattr(self, self.kind_argument),
            "weight": self.weight,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable("keras_cyclegan")
class AdversarialLoss(_WeightedLoss):
    """How far a discriminator's verdict is from the wanted one.

    One object serves both players. The discriminator of domain B minimises
    `½ · [loss(1, D(b)) + loss(0, D(ab(a)))]`, the generator `loss(1, D(ab(a)))`, which is the
    non-saturating form of Zhu et al. 2017, eq. (1).

    Args:
        kind: `"least_squares"` (Mao et al. 2017; the paper's choice in practice, section 4) or
            `"min_max"` (Goodfellow et al. 2014: cross-entropy on logits).
        weight: float. Factor of the loss, for both players.

    Call arguments:
        y_true: 1 where the verdict "real" is wanted, 0 where "fake" is; any shape that broadcasts.
        y_pred: logits of a discriminator, `(batch, rows, columns, 1)`; or a list of such maps, of
            which each counts by its mean.
    """

    kind_argument = "kind"
    kinds = ("least_squares", "min_max")

    def __init__(self, kind="least_squares", weight=1.0, name="adversarial", **kwargs):
        super().__init__(kind, weight, name, **kwargs)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if isinstance(y_pred, (list, tuple)):
            return sum(self(y_true, logits, sample_weight) for logits in y_pred) / len(y_pred)
        y_true = ops.broadcast_to(ops.cast(y_true, self.dtype), ops.shape(y_pred))
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        if self.kind == "least_squares":
            return self.weight * ops.square(y_pred - y_true)
        return self.weight * (ops.softplus(y_pred) - y_true * y_pred)


class _PixelLoss(_WeightedLoss):
    """Mean distance of two images, pixel by pixel."""

    kind_argument = "norm"
    kinds = ("l1", "l2")

    def call(self, y_true, y_pred):
        difference = y_pred - y_true
        distance = ops.abs(difference) if self.norm == "l1" else ops.square(difference)
        return self.weight * distance


@keras.saving.register_keras_serializable("keras_cyclegan")
class CycleConsistencyLoss(_PixelLoss):
    """Distance between an image and its reconstruction after a round trip.

    `ba(ab(a))` should return to `a`: Zhu et al. 2017, eq. (2).

    Args:
        norm: `"l1"` (the paper's; sharper images) or `"l2"`.
        weight: float. λ, 10 in the paper.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1].
        y_pred: reconstructions, the same shape.
    """

    def __init__(self, norm="l1", weight=10.0, name="cycle", **kwargs):
        super().__init__(norm, weight, name, **kwargs)


@keras.saving.register_keras_serializable("keras_cyclegan")
class IdentityLoss(_PixelLoss):
    """Distance between an image and its translation into the domain that it is already in.

    `ab(b)` should be `b`, which keeps a generator from changing colours without need: Zhu et al.
    2017, section 5.2 (Taigman et al. 2017). The domains need equal channels.

    Args:
        norm: `"l1"` (the paper's) or `"l2"`.
        weight: float. The authors' λ_identity times λ: 0.5 · 10.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1].
        y_pred: their translations into their own domain, the same shape.
    """

    def __init__(self, norm="l1", weight=5.0, name="identity", **kwargs):
        super().__init__(norm, weight, name, **kwargs)


# Feature maps that are compared: what the second and the fifth pooling of VGG-16 are given.
VGG16_LAYERS = ("block2_conv2", "block5_conv3")


@keras.saving.register_keras_serializable("keras_cyclegan")
class PerceptualLoss(_WeightedLoss):
    """Distance between an image and its reconstruction in the features of another network.

    Pixels must not return one by one, but what a network sees in them must: textures survive that
    the cycle loss would average, and shapes may move a little. Johnson et al. 2016, eq. (2); as a
    part of cycle consistency, Engin et al. 2018 (Cycle-Dehaze), eq. (3).

    Args:
        extractor: `"vgg16"`, ImageNet's (Keras downloads its weights once), or a `keras.Model` from
            images in [-1, 1] to features of any shape, or to a list of them. A model isn't kept in
            saved files: compile again after reloading.
        norm: `"l2"` or `"l1"`. Each output of the extractor counts by its mean.
        weight: float.

    Call arguments:
        y_true: real images, `(batch, height, width, channels)`, in [-1, 1]; for `"vgg16"` with 1 or
            3 channels.
        y_pred: reconstructions, the same shape.
    """

    kind_argument = "norm"
    kinds = ("l1", "l2")

    def __init__(self, extractor="vgg16", norm="l2", weight=1.0, name="perceptual", **kwargs):
        super().__init__(norm, weight, name, **kwargs)
        if not (extractor in ("vgg16", None) or callable(extractor)):
            raise ValueError(
                f"`extractor` must be 'vgg16' or a keras model. Received {extractor!r}."
            )
        self.extractor = extractor
        # Now, because a traced step may not make weights.
        self.extract = vgg16() if extractor == "vgg16" else extractor

    def call(self, y_true, y_pred):
        if self.extract is None:
            raise ValueError(
                "This PerceptualLoss was reloaded from a file, which doesn't hold its extractor. "
                "Compile the model again with `perceptual_loss=PerceptualLoss(extractor)`."
            )
        features = zip(
            keras.tree.flatten(self.extract(y_true)),
            keras.tree.flatten(self.extract(y_pred)),
            strict=True,
        )
        distance = ops.abs if self.norm == "l1" else ops.square
        return self.weight * sum(
            ops.mean(
                distance(ops.cast(predicted - true, self.dtype)),
                axis=tuple(range(1, len(true.shape))),
            )
            for true, predicted in features
        )

    def get_config(self):
        extractor = self.extractor if isinstance(self.extractor, str) else None
        return {**super().get_config(), "extractor": extractor}


def vgg16():
    """VGG-16 from images in [-1, 1], of 1 or 3 channels, to the maps of `VGG16_LAYERS`."""
    network = keras.applications.VGG16(include_top=False, weights="imagenet")
    maps = keras.Model(network.input, [network.get_layer(name).output for name in VGG16_LAYERS])
    maps.trainable = False

    def extract(images):
        pixels = unit_to_pixels(ops.broadcast_to(images, (*ops.shape(images)[:-1], 3)))
        return maps(keras.applications.vgg16.preprocess_input(pixels))

    return extract
