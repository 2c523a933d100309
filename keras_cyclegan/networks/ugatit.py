"""U-GAT-IT: networks that attend to the regions in which the domains differ."""

from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_image_shape, check_multiple
from keras_cyclegan.layers import (
    AdaptiveInstanceLayerNormalization,
    InstanceLayerNormalization,
    ReflectionPadding2D,
    SpectralNormalization,
)
from keras_cyclegan.networks.building_blocks import (
    conv,
    float32_activation,
    instance_norm,
    normal_initializer,
)
from keras_cyclegan.networks.class_activation import Heatmap, attend
from keras_cyclegan.networks.image_network import ImageNetwork


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITGenerator(ImageNetwork):
    """Translates images, with each feature weighted by how well it tells the domains apart.

    Kim et al. 2020, "U-GAT-IT", section 2.1.1, in the authors' light form, which takes any size: an
    encoder with residual blocks; an auxiliary classifier whose weights scale the encoder's
    channels, a class activation map (Zhou et al. 2016); residual blocks with adaptive
    layer-instance norm, whose scale and offset are computed from the weighted features; upsampling
    by nearest neighbours. For domains that differ in shape as well as in texture.

    The auxiliary classifier says whether an image is of the domain that is translated from.
    `ClassActivationLoss` trains it: `CycleGAN.compile(activation_loss=1000.0)`, the paper's weight.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed: the network takes every height and width that are multiples of 4.
        output_channels: int, 3 by default. Channels of the translation.
        filters: int, 64 by default. Width of the first layer; the residual blocks have four times
            as many.
        num_blocks: int. Residual blocks before the attention, and as many after it. None, the
            default, takes the light form's 4.
        dtype: dtype or policy of every layer, the global one by default; the output is float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        `(batch, height, width, output_channels)`, float32, in [-1, 1].

    Raises:
        ValueError: a height or width that is no multiple of 4.

    Example:

    ```python
    generator = UGATITGenerator((256, 256, 3))
    translated, logits, heatmap = generator.activation_network()(images)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        output_channels: int = 3,
        filters: int = 64,
        num_blocks: int | None = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        height, width, channels = check_image_shape(image_shape)
        num_blocks = 4 if num_blocks is None else num_blocks
        check_multiple(height, width, 4, "A U-GAT-IT generator")
        blocks = _Blocks(dtype)
        wide = 4 * filters

        images = keras.Input((None, None, channels), name="images")
        x = blocks.convolve(images, filters, 7, name="stem")
        x = blocks.normalise(x, "stem")
        for i in (1, 2):
            x = blocks.convolve(x, 2**i * filters, 3, 2, name=f"down{i}")
            x = blocks.normalise(x, f"down{i}")
        for i in range(num_blocks):
            x = blocks.residual(x, f"encode{i + 1}", blocks.instance)

        relu = layers.ReLU(name="attended_relu", dtype=dtype)
        x, logits = attend(x, relu, False, dtype)  # (n, h/4, w/4, 4f), (n, 2)
        heatmap = Heatmap(name="heatmap", dtype="float32")(x)

        style = layers.GlobalAveragePooling2D(name="style_pool", dtype=dtype)(x)
        for i in (1, 2):
            style = blocks.dense(style, wide, f"style{i}")
            style = layers.ReLU(name=f"style{i}_relu", dtype=dtype)(style)
        scale, offset = (blocks.dense(style, wide, name) for name in ("scale", "offset"))

        def adaptive(x, name):
            norm = AdaptiveInstanceLayerNormalization(name=name, dtype=dtype)
            return norm([x, scale, offset])

        for i in range(num_blocks):
            x = blocks.residual(x, f"decode{i + 1}", adaptive)
        for i in (1, 2):
            x = layers.UpSampling2D(2, name=f"up{i}_resize", dtype=dtype)(x)
            x = blocks.convolve(x, wide // 2**i, 3, name=f"up{i}")
            x = InstanceLayerNormalization(name=f"up{i}_norm", dtype=dtype)(x)
            x = layers.ReLU(name=f"up{i}_relu", dtype=dtype)(x)
        x = blocks.convolve(x, output_channels, 7, name="head")
        x = float32_activation("tanh", "tanh")(x)
        super().__init__(
            images,
            x,
            dtype,
            name,
            image_shape=(height, width, channels),
            output_channels=output_channels,
            filters=filters,
            num_blocks=num_blocks,
            multiple=4,
        )
        # A function hides them from Keras: the functional model needs neither for its output.
        self._auxiliary = lambda: [x, logits, heatmap]
        head = keras.Model(images, logits)
        self._head = lambda: head  # hidden from Keras, which would save its weights twice

    def activation_network(self) -> keras.Model:
        """Return the network of the translation, the auxiliary logits and the heatmap.

        Returns:
            `keras.Model` from images to `[translation, logits (batch, 2), heatmap (batch,
            height / 4, width / 4, 1)]`, with this generator's weights.
        """
        return keras.Model(self.input, self._auxiliary())

    def class_logits(self, images, training=False):
        """Classify whether images are of the domain that this generator translates from.

        Args:
            images: `(batch, height, width, channels)`, in [-1, 1].
            training: bool, False by default.

        Returns:
            Logits of the auxiliary classifier, `(batch, 2)`, float32: above 0 for yes.
        """
        check_multiple(*images.shape[1:3], self.multiple, "A U-GAT-IT generator")
        return self._head()(images, training=training)


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITDiscriminator(ImageNetwork):
    """Judges small and large patches, with features weighted by what tells real from translated.

    Kim et al. 2020, "U-GAT-IT", section 2.1.2: two PatchGANs with spectral norm, whose features are
    weighted by a class activation map before the last convolution; one sees patches of 70 pixels,
    the other most of an image. Their auxiliary classifiers judge the whole image.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default; at least 96
            pixels high and wide for 7 layers. Only the channels are fixed.
        filters: int, 64 by default. Width of the first layer, doubled layer by layer.
        num_layers: two ints, (5, 7) by default, the paper's. Layers of the local and of the global
            PatchGAN. One int n is short for (n, n + 2).
        dtype: dtype or policy of every layer, the global one by default; the logits are float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        A list of four logits, float32: those of the local PatchGAN, `(batch, rows, columns, 1)`, of
        its auxiliary classifier, `(batch, 1, 1, 2)`, and both of the global PatchGAN.

    Raises:
        ValueError: `num_layers` below 3, or an `image_shape` too small for one logit.

    Example:

    ```python
    discriminator = UGATITDiscriminator((32, 32, 3), filters=8, num_layers=(3, 4))
    local, local_class, whole, whole_class = discriminator(images)
    whole_class.shape  # (1, 1, 1, 2)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        num_layers: int | tuple[int, ...] = (5, 7),
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        if isinstance(num_layers, int):
            num_layers = num_layers, num_layers + 2
        num_layers = tuple(num_layers)
        if min(num_layers) < 3:
            raise ValueError(f"`num_layers` must be at least 3. Received {num_layers}.")
        smallest = 3 * 2 ** (max(num_layers) - 2)  # leaves one logit
        if min(size or smallest for size in image_shape[:2]) < smallest:
            raise ValueError(
                f"A U-GAT-IT discriminator of {num_layers} layers needs images of at least "
                f"{smallest}×{smallest} pixels. Received image_shape={image_shape}."
            )
        images = keras.Input((None, None, image_shape[2]), name="images")
        logits = []
        for kind, count in zip(("local", "global"), num_layers, strict=True):
            logits += _judge(images, filters, count, f"{kind}_", dtype)
        super().__init__(
            images,
            logits,
            dtype,
            name,
            image_shape=image_shape,
            filters=filters,
            num_layers=num_layers,
        )


def _judge(x, filters, num_layers, name, dtype):
    """Add a PatchGAN; return its logits, and those of its auxiliary classifier."""

    def convolve(x, count, strides, layer, use_bias=True):
        x = ReflectionPadding2D(1, name=f"{layer}_pad", dtype=dtype)(x)
        inner = conv(count, 4, strides, f"{layer}_inner", dtype, use_bias=use_bias)
        return SpectralNormalization(inner, name=layer, dtype=dtype)(x)

    for i in range(num_layers - 1):
        strides = 2 if i < num_layers - 2 else 1
        x = convolve(x, filters * 2**i, strides, f"{name}conv{i + 1}")
        x = layers.LeakyReLU(0.2, name=f"{name}relu{i + 1}", dtype=dtype)(x)
    x, auxiliary = attend(x, layers.LeakyReLU(0.2, dtype=dtype), True, dtype, name)
    x = convolve(x, 1, 1, f"{name}logits", use_bias=False)
    auxiliary = layers.Reshape((1, 1, 2), dtype="float32", name=f"{name}auxiliary")(auxiliary)
    return [float32_activation("linear", name.removesuffix("_"))(x), auxiliary]


class _Blocks:
    """The blocks of the generator, which share a dtype. Its convolutions have no bias."""

    def __init__(self, dtype):
        self.dtype = dtype

    def convolve(self, x, filters, kernel_size, strides=1, name=None):
        x = ReflectionPadding2D(kernel_size // 2, name=f"{name}_pad", dtype=self.dtype)(x)
        convolution = conv(
            filters, kernel_size, strides, f"{name}_conv", self.dtype, use_bias=False
        )
        return convolution(x)

    def instance(self, x, name):
        return instance_norm(name=name, dtype=self.dtype)(x)

    def normalise(self, x, name):
        x = self.instance(x, f"{name}_norm")
        return layers.ReLU(name=f"{name}_relu", dtype=self.dtype)(x)

    def residual(self, x, name, norm):
        shortcut = x
        x = norm(self.convolve(x, x.shape[-1], 3, name=f"{name}_1"), f"{name}_1_norm")
        x = layers.ReLU(name=f"{name}_relu", dtype=self.dtype)(x)
        x = norm(self.convolve(x, x.shape[-1], 3, name=f"{name}_2"), f"{name}_2_norm")
        return layers.Add(name=f"{name}_add", dtype=self.dtype)([shortcut, x])

    def dense(self, x, units, name):
        return layers.Dense(
            units,
            use_bias=False,
            kernel_initializer=normal_initializer(),
            name=name,
            dtype=self.dtype,
        )(x)
