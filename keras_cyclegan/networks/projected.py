"""A discriminator that judges the features of a frozen, pretrained network."""

import functools
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_cyclegan.arguments import Configured
from keras_cyclegan.layers import DifferentiableAugmentation
from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input
from keras_cyclegan.networks.efficientnet import VARIANTS
from keras_cyclegan.networks.encoders import OWN, STRIDES, add_encoder
from keras_cyclegan.networks.patchgan import PatchDiscriminator
from keras_cyclegan.networks.size_limits import outside_of_scopes

MIXED = 64  # channels of each mixed map


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedDiscriminator(ImageNetwork):
    """Judges frozen features of a pretrained network, patch by patch, at several scales.

    Sauer et al. 2021, "Projected GANs Converge Faster"; Kumari et al. 2022 (vision-aided GAN). Maps
    of a frozen network at strides 4, 8, 16 and 32 are mixed by random, frozen convolutions: across
    channels, and from coarse scales to fine ones. A small head with spectral norm judges each
    scale; beside them a narrow PatchGAN looks at the pixels. Logits are a list, the PatchGAN's
    last. A translator learns in thousands of steps what takes tens of thousands without. The frozen
    part is made when it is first needed, and isn't stored in files, which load without it.

    Args:
        image_shape: `(height, width, channels)` of the input; 1 or 3 channels. Heads halve their
            maps until they are about 8×8 at this size.
        features: `"efficientnet-lite1"` (`pip install keras-cyclegan[fast]`); the name of a network
            of `keras.applications`, which Keras downloads; or a `keras.Model` from images in
            [-1, 1] to several maps, the finest first, each half as high and wide as the one before,
            which isn't kept in saved files.
        filters: int. Width of the heads.
        pixel_filters: int. Width of the PatchGAN on the pixels; 0 for none.
        augmentation: dict of arguments of `DifferentiableAugmentation`, which changes all images in
            training, or None.
        num_scales: int. Number of heads, the finest scale first. None takes all.
        seed: int, of the random mixing.
        features_hash: str, SHA-256 of the frozen weights, from a config.
        dtype: dtype or policy of the heads; the rest is float32.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        features: str = "efficientnet-lite1",
        filters: int = 64,
        pixel_filters: int | None = 32,
        augmentation: Any = None,
        num_scales: int | None = None,
        seed: int = 0,
        features_hash: str | None = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if image_shape[2] not in (1, 3):
            raise ValueError(f"Images must have 1 or 3 channels. Received {image_shape=}.")
        options = {"dtype": "float32", "name": "features"}
        frozen = ProjectedFeatures(features, num_scales, seed, features_hash, **options)
        features, num_scales = frozen.features, frozen.num_scales
        features_hash = frozen.features_hash
        x = images
        if augmentation is not None:
            augment = DifferentiableAugmentation(**augmentation, dtype="float32", name="augment")
            x = augment(x)
        side = min(size or 256 for size in image_shape[:2])
        heads = _Heads(dtype, stddev=0.05, spectral_norm=True)
        logits = [
            heads.judge(scale, filters, side / stride, f"scale{i + 1}")
            for i, (scale, stride) in enumerate(zip(frozen(x), frozen.strides, strict=True))
        ]
        if pixel_filters:
            patch = PatchDiscriminator(image_shape, pixel_filters, dtype=dtype, name="pixels")
            logits.append(patch(x))
        super().__init__(images, logits, locals())


class _Heads(Blocks):
    """The heads, each for the map of one scale."""

    inner = "conv"

    def judge(self, x, filters, side, name):
        """Halve a map of about `side` pixels until it has 8, and judge its patches."""
        halvings = max(0, round(np.log2(side / 8)))
        for i in range(halvings + 1):
            size, strides = (3, 1) if i == halvings else (4, 2)
            layer = f"{name}_conv{i + 1}"
            x = self.conv(self.pad(x, 1, f"{layer}_pad"), filters, size, strides, layer)
            # Not batch norm: at batch size 1 its statistics are those of one image or of two.
            x = layers.GroupNormalization(8, name=f"{layer}_norm", dtype=self.dtype)(x)
            x = self.leaky_relu(x, f"{layer}_relu")
        x = self.conv(self.pad(x, 1, f"{name}_logits_pad"), 1, 3, name=f"{name}_logits")
        return self.output(x, "linear", name)


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedFeatures(Configured, layers.Layer):
    """A frozen network's maps `(n, rows, columns, 64)`, the finest first, randomly mixed.

    Its arguments are those of `ProjectedDiscriminator`.
    """

    def __init__(
        self, features="efficientnet-lite1", num_scales=None, seed=0, features_hash=None, **kwargs
    ):
        super().__init__(**kwargs)
        given = features if isinstance(features, keras.Model) else None
        most = len(given.outputs) if given else len(STRIDES)
        num_scales = num_scales or most
        if not 0 < num_scales <= most and features != OWN:
            raise ValueError(f"`num_scales` must be 1 to {most} here. Received {num_scales=}.")
        self.features = OWN if given else features
        self.num_scales = num_scales
        self.seed = seed
        self.features_hash = features_hash
        if features in VARIANTS and features_hash is None:
            self.features_hash = VARIANTS[features].sha256
        self.strides = [4 * 2**i for i in range(num_scales)]
        # A function hides the frozen network from Keras, which would save and count its weights.
        self._network = functools.cache(lambda: outside_of_scopes(self._make, given))

    def _make(self, given):
        if given is not None:
            return _Projection(given, self.num_scales, self.seed)
        if self.features == OWN:
            raise ValueError("Files don't hold your own model of features: make a new one with it.")
        if self.features in VARIANTS and self.features_hash != VARIANTS[self.features].sha256:
            raise ValueError(
                f"This discriminator was trained on weights of {self.features} whose SHA-256 is "
                f"{self.features_hash}. Those here have {VARIANTS[self.features].sha256}."
            )
        return _named_projection(self.features, self.num_scales, self.seed)

    def call(self, images):
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        return self._network()(images)

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        sizes = ([side and -(-side // stride) for side in size] for stride in self.strides)
        return [(batch, *size, MIXED) for size in sizes]


@functools.cache
def _named_projection(name, num_scales, seed):
    """Make one frozen network for all discriminators of a process with these arguments."""
    images = keras.Input((None, None, 3))
    return _Projection(keras.Model(images, add_encoder(images, name, "float32")), num_scales, seed)


class _Projection:
    """The maps that a network makes of images in [-1, 1], mixed; kept out of every model."""

    def __init__(self, network, num_scales, seed):
        self.network = network
        channels = [x.shape[-1] for x in network.outputs[:num_scales]]
        random = np.random.RandomState(seed)  # the same numbers in every version of numpy
        self.across = [self._kernel(random, 1, count) for count in channels]
        self.down = [self._kernel(random, 3, MIXED) for _ in channels[1:]]

    @staticmethod
    def _kernel(random, size, channels):
        """Draw as He et al. 2015, without the factor 2, which is for a ReLU that follows."""
        deviation = 1.0 / np.sqrt(size * size * channels)
        values = deviation * random.standard_normal((size, size, channels, MIXED))
        return keras.Variable(values.astype("float32"), dtype="float32", trainable=False)

    def __call__(self, images):
        maps = self.network(images, training=False)[: len(self.across)]
        mixed, coarser = [], None
        for i in reversed(range(len(self.across))):
            x = ops.conv(ops.cast(maps[i], "float32"), self.across[i].value, padding="valid")
            if coarser is not None:
                above = ops.conv(coarser, self.down[i].value, padding="same")
                height, width = ops.shape(above)[1:3]
                doubled = (2 * height, 2 * width)
                above = ops.image.resize(above, doubled, interpolation="bilinear")
                height, width = ops.shape(x)[1:3]
                x = x + above[:, :height, :width]
            mixed.append(coarser := x)
        return mixed[::-1]
