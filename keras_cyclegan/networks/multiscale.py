"""PatchGANs that judge an image at several resolutions."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import check_image_shape
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.patchgan import PatchDiscriminator


@keras.saving.register_keras_serializable("keras_cyclegan")
class MultiScaleDiscriminator(ImageNetwork):
    """Judges patches of an image, of the image at half its size, and so on.

    Wang et al. 2018 (pix2pixHD), section 3.2: several PatchGANs of one architecture, each with its
    own weights. The coarse ones see most of the image, the fine ones its texture. To halve an
    image, the mean is taken over the 3×3 pixels around every second one, those outside of the image
    left out: torch's `AvgPool2d(3, stride=2, padding=1, count_include_pad=False)`.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed.
        num_scales: int, 3 by default, the paper's. Number of PatchGANs.
        filters, num_layers, affine_norm, spectral_norm: as for `PatchDiscriminator`.
        dtype: dtype or policy of every layer, the global one by default; the logits are float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        A list of logits `(batch, rows, columns, 1)`, float32, the finest scale first.

    Raises:
        ValueError: `num_scales` below 1, or an `image_shape` too small for the coarsest PatchGAN.

    Example:

    ```python
    discriminator = MultiScaleDiscriminator((256, 256, 3))
    discriminator.count_params()  # 8294211, three times a PatchGAN's
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        num_scales: int = 3,
        filters: int = 64,
        num_layers: int = 3,
        affine_norm: bool = False,
        spectral_norm: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        if num_scales < 1:
            raise ValueError(f"`num_scales` must be at least 1. Received num_scales={num_scales}.")
        images = keras.Input((None, None, image_shape[2]), name="images")
        x, logits, size = images, [], image_shape[:2]
        for i in range(num_scales):
            if i:
                x = HalveByMean(name=f"halve{i}", dtype=dtype)(x)
                size = tuple(side and -(-side // 2) for side in size)
            patch = PatchDiscriminator(
                (*size, image_shape[2]),
                filters,
                num_layers,
                affine_norm,
                spectral_norm,
                dtype=dtype,
                name=f"scale{i + 1}",
            )
            logits.append(patch(x))
        super().__init__(
            images,
            logits,
            dtype,
            name,
            image_shape=image_shape,
            num_scales=num_scales,
            filters=filters,
            num_layers=num_layers,
            affine_norm=affine_norm,
            spectral_norm=spectral_norm,
        )


@keras.saving.register_keras_serializable("keras_cyclegan")
class HalveByMean(layers.Layer):
    """Halves images: takes the mean over the 3×3 pixels around every second one.

    Call arguments:
        images: `(batch, height, width, channels)`.

    Returns:
        `(batch, ⌈height / 2⌉, ⌈width / 2⌉, channels)`.
    """

    def call(self, images):
        inside = ops.ones_like(images[:1, :, :, :1])
        return _mean_of_nine(images) / _mean_of_nine(inside)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height and -(-height // 2), width and -(-width // 2), channels


def _mean_of_nine(images):
    # Not "same", which pads an even size on one side only.
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.average_pool(padded, 3, 2, padding="valid", data_format="channels_last")
