"""U-GAT-IT: generators and discriminators that attend to what tells the domains apart."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.layers import (
    AdaptiveInstanceLayerNormalization,
    InstanceLayerNormalization,
    ReflectionPadding2D,
    SpectralNormalization,
)
from keras_cyclegan.networks.building_blocks import (
    check_image_shape,
    check_multiple,
    float32_activation,
    instance_norm,
    normal_initializer,
)
from keras_cyclegan.networks.image_network import ImageNetwork


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITGenerator(ImageNetwork):
    """Translates images, weighing its features by how well they tell the domains apart.

    Kim et al. 2020, "U-GAT-IT", section 2.1.1, in the authors' light form, which takes any size: an
    encoder with residual blocks; an auxiliary head whose weights scale the encoder's channels, a
    class activation map (Zhou et al. 2016); residual blocks with adaptive layer-instance norm,
    whose scale and offset come from the attended features; upsampling by nearest neighbours. For
    domains that differ in shape as well as in texture.

    The auxiliary head says whether an image is of the domain that the generator translates from.
    `ClassActivationLoss` trains it: `CycleGAN.compile(activation_loss=1000.0)`, the paper's weight.

    Args:
        image_shape: `(height, width, channels)` of the input. Only the channels bind: the network
            takes every height and width that are multiples of 4.
        output_channels: int. Channels of the translation.
        filters: int. Width of the first layer; the residual blocks have four times as many.
        num_blocks: int. Residual blocks before and after the attention, each; None, the default,
            takes the light form's 4.
        dtype: dtype or policy of every layer; the output is float32 under each.

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
        x, logits = _attend(x, relu, False, dtype)  # (n, h/4, w/4, 4f), (n, 2)
        heatmap = Heatmap(name="heatmap", dtype="float32")(x)

        told = layers.GlobalAveragePooling2D(name="style_pool", dtype=dtype)(x)
        for i in (1, 2):
            told = blocks.dense(told, wide, f"style{i}")
            told = layers.ReLU(name=f"style{i}_relu", dtype=dtype)(told)
        scale, offset = (blocks.dense(told, wide, name) for name in ("scale", "offset"))

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
        # No part of the functional model, whose output does not need them.
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
        """Tell whether images are of the domain that this generator translates from.

        Args:
            images: `(batch, height, width, channels)`, in [-1, 1].
            training: bool.

        Returns:
            Logits of the auxiliary head, `(batch, 2)`, float32: above 0 for yes.
        """
        check_multiple(*images.shape[1:3], self.multiple, "A U-GAT-IT generator")
        return self._head()(images, training=training)


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITDiscriminator(ImageNetwork):
    """Judges small and large patches, attending to what tells real from translated images.

    Kim et al. 2020, "U-GAT-IT", section 2.1.2: two PatchGANs with spectral norm, whose features are
    weighed by a class activation map before the last convolution; one sees patches of 70 pixels,
    the other most of an image. Their auxiliary heads judge the whole image, as further maps.

    Args:
        image_shape: `(height, width, channels)` of the input, at least 96 pixels high and wide
            for 7 layers. Only the channels bind.
        filters: int. Width of the first layer, doubled layer by layer.
        num_layers: two ints. Layers of the local and of the global PatchGAN; (5, 7) in the paper.
            One int n stands for (n, n + 2).
        dtype: dtype or policy of every layer; the logits are float32 under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        A list of logits, float32: for both PatchGANs `(batch, rows, columns, 1)` and, of its
        auxiliary head, `(batch, 1, 1, 2)`.
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
    """One of the discriminator's PatchGANs: its logits, and those of its auxiliary head."""

    def convolve(x, count, strides, layer, use_bias=True):
        x = ReflectionPadding2D(1, name=f"{layer}_pad", dtype=dtype)(x)
        inner = _conv(count, 4, strides, use_bias, f"{layer}_inner", dtype)
        return SpectralNormalization(inner, name=layer, dtype=dtype)(x)

    for i in range(num_layers - 1):
        strides = 2 if i < num_layers - 2 else 1
        x = convolve(x, filters * 2**i, strides, f"{name}conv{i + 1}")
        x = layers.LeakyReLU(0.2, name=f"{name}relu{i + 1}", dtype=dtype)(x)
    x, auxiliary = _attend(x, layers.LeakyReLU(0.2, dtype=dtype), True, dtype, name)
    x = convolve(x, 1, 1, f"{name}logits", use_bias=False)
    auxiliary = layers.Reshape((1, 1, 2), dtype="float32", name=f"{name}auxiliary")(auxiliary)
    return [float32_activation("linear", name.removesuffix("_"))(x), auxiliary]


def _attend(x, activation, spectral_norm, dtype, name=""):
    """Features weighed by a class activation map, mixed back to their number; and its logits."""
    weighed, logits = ClassActivation(spectral_norm, name=f"{name}activation", dtype=dtype)(x)
    logits = float32_activation("linear", f"{name}activation_logits")(logits)
    x = _conv(x.shape[-1], 1, 1, True, f"{name}attended_conv", dtype)(weighed)
    return activation(x), logits


def _conv(filters, kernel_size, strides, use_bias, name, dtype):
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        use_bias=use_bias,
        kernel_initializer=normal_initializer(),
        name=name,
        dtype=dtype,
    )


class _Blocks:
    """The blocks of the generator, which share a dtype. No convolution of its has a bias."""

    def __init__(self, dtype):
        self.dtype = dtype

    def convolve(self, x, filters, kernel_size, strides=1, name=None):
        x = ReflectionPadding2D(kernel_size // 2, name=f"{name}_pad", dtype=self.dtype)(x)
        return _conv(filters, kernel_size, strides, False, f"{name}_conv", self.dtype)(x)

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


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivation(layers.Layer):
    """Weighs each channel by what it says about an image's class.

    Zhou et al. 2016, as used by Kim et al. 2020, section 2.1.1: linear classifiers of the channels'
    means and of their maxima; the weights that they learn scale the channels.

    Args:
        spectral_norm: bool. Whether the classifiers' weights are divided by their norm, which is
            the spectral norm of a classifier with one output.

    Call arguments:
        x: `(batch, height, width, channels)`.

    Returns:
        `(batch, height, width, 2 · channels)`, the channels weighed by either classifier, and
        their logits `(batch, 2)`.
    """

    def __init__(self, spectral_norm=False, **kwargs):
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm

    def build(self, input_shape):
        self.of_means, self.of_maxima = (
            self.add_weight(shape=(input_shape[-1],), initializer=normal_initializer(), name=name)
            for name in ("of_means", "of_maxima")
        )

    def call(self, x):
        weights = [ops.convert_to_tensor(self.of_means), ops.convert_to_tensor(self.of_maxima)]
        if self.spectral_norm:
            weights = [weight / (ops.norm(weight) + 1e-12) for weight in weights]
        weights = [ops.cast(weight, x.dtype) for weight in weights]
        pooled = ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))
        logits = [ops.sum(p * w, axis=-1) for p, w in zip(pooled, weights, strict=True)]
        weighed = ops.concatenate([x * weight for weight in weights], axis=-1)
        return weighed, ops.stack(logits, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1]), (input_shape[0], 2)

    def get_config(self):
        return {**super().get_config(), "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable("keras_cyclegan")
class Heatmap(layers.Layer):
    """The mean over channels: where in an image something was found."""

    def call(self, x):
        return ops.mean(x, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
