"""A discriminator that judges the features of a frozen, pretrained network."""

from typing import Any

import keras
import numpy as np
from keras import layers

from keras_cyclegan.arguments import check_image_shape
from keras_cyclegan.layers import DifferentiableAugmentation, SpectralNormalization
from keras_cyclegan.networks.building_blocks import conv, float32_activation
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.patchgan import PatchDiscriminator
from keras_cyclegan.networks.projected_features import ProjectedFeatures


@keras.saving.register_keras_serializable("keras_cyclegan")
class ProjectedDiscriminator(ImageNetwork):
    """Judges frozen features of a pretrained network, patch by patch, at several scales.

    Sauer et al. 2021, "Projected GANs Converge Faster"; Kumari et al. 2022 (vision-aided GAN). Maps
    of a frozen network at strides 4, 8, 16 and 32 are mixed by random, frozen convolutions: across
    channels, and from coarse scales to fine ones. A small head with spectral norm judges each
    scale; beside them a narrow PatchGAN looks at the pixels, for texture and grids. A translator
    learns from it in thousands of steps what takes tens of thousands with a PatchGAN alone.

    The frozen part is made when it is first needed, and isn't stored in `weights`, in files or in
    presets: the config holds its name and its hash, and the random weights of the mixing follow
    from `seed`. So a preset loads and translates on a machine that lacks the frozen weights.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default; 1 or 3
            channels. Heads halve their maps until they are about 8×8 at this size; images of other
            sizes work too.
        features: `"efficientnet-lite1"` (the default; `pip install keras-cyclegan[fast]`); the name
            of a network of `keras.applications`, which Keras downloads; or a `keras.Model` from
            images in [-1, 1] to several maps, the finest first, each half as high and wide as the
            one before. A model isn't kept in saved files.
        filters: int, 64 by default. Width of the heads.
        pixel_filters: int, 32 by default. Width of the PatchGAN on the pixels; 0 for none.
        augmentation: dict of arguments of `DifferentiableAugmentation`, which changes all images in
            training. None, the default, for none.
        num_scales: int. Number of heads, the finest scale first. None, the default, takes one for
            each map.
        seed: int, 0 by default. Seed of the random mixing.
        features_hash: str, SHA-256 that the frozen weights must have. None, the default, takes that
            of this version's weights, or of what Keras has downloaded; a config holds it.
        dtype: dtype or policy of the heads, the global one by default; features and logits are
            float32 under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        A list of logits `(batch, rows, columns, 1)`, float32: one map for each scale, then the
        PatchGAN's.

    Raises:
        ValueError: an option is unknown or doesn't fit the images.
        ImportError: when first called, the package with the frozen weights isn't installed.

    Example:

    ```python
    shape = (128, 128, 3)
    judges = [ProjectedDiscriminator(shape, augmentation={}) for _ in range(2)]
    model = CycleGAN(discriminator_a=judges[0], discriminator_b=judges[1], image_shape=shape)
    ```
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
        image_shape = check_image_shape(image_shape)
        if image_shape[2] not in (1, 3):
            raise ValueError(
                "Frozen features are of grayscale or RGB images: 1 or 3 channels. Received "
                f"image_shape={image_shape}."
            )
        frozen = ProjectedFeatures(
            features, num_scales, seed, features_hash, dtype="float32", name="features"
        )
        images = keras.Input((None, None, image_shape[2]), name="images")
        x = images
        if augmentation is not None:
            augment = DifferentiableAugmentation(**augmentation, dtype="float32", name="augment")
            x = augment(x)
        side = min(size or 256 for size in image_shape[:2])
        logits = [
            _head(scale, _halvings(side, stride), filters, f"scale{i + 1}", dtype)
            for i, (scale, stride) in enumerate(zip(frozen(x), frozen.strides, strict=True))
        ]
        if pixel_filters:
            patch = PatchDiscriminator(image_shape, pixel_filters, dtype=dtype, name="pixels")
            logits.append(patch(x))
        super().__init__(
            images,
            logits,
            dtype,
            name,
            image_shape=image_shape,
            features=frozen.features,
            filters=filters,
            pixel_filters=pixel_filters,
            augmentation=augmentation,
            num_scales=frozen.num_scales,
            seed=seed,
            features_hash=frozen.features_hash,
        )

    def get_config(self):
        # What Keras downloads has a hash only once it is there.
        return {**super().get_config(), "features_hash": self.get_layer("features").features_hash}


def _halvings(side, stride):
    """Count how often a map of this stride is halved until it is about 8 wide."""
    return max(0, round(np.log2(side / stride / 8)))


def _head(x, halvings, filters, name, dtype):
    """Add the head of one scale: 4×4 convolutions of stride 2, a 3×3 one, one for the logits."""

    def convolve(x, count, kernel_size, strides, name):
        x = layers.ZeroPadding2D(1, name=f"{name}_pad", dtype=dtype)(x)
        convolution = conv(count, kernel_size, strides, f"{name}_conv", dtype, stddev=0.05)
        return SpectralNormalization(convolution, name=name, dtype=dtype)(x)

    for i in range(halvings + 1):
        last = i == halvings
        layer = f"{name}_conv{i + 1}"
        x = convolve(x, filters, 3 if last else 4, 1 if last else 2, layer)
        # Not batch norm: at batch size 1 its statistics are those of one image or of two.
        x = layers.GroupNormalization(8, name=f"{layer}_norm", dtype=dtype)(x)
        x = layers.LeakyReLU(0.2, name=f"{layer}_relu", dtype=dtype)(x)
    x = convolve(x, 1, 3, 1, f"{name}_logits")
    return float32_activation("linear", name)(x)
