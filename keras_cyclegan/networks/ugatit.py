"""U-GAT-IT: networks that attend to the regions in which the domains differ."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import Configured, check_multiple
from keras_cyclegan.layers import AdaptiveInstanceLayerNormalization, InstanceLayerNormalization
from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input, normal_initializer


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITGenerator(ImageNetwork):
    """Translates images, with each feature weighted by how well it tells the domains apart.

    Kim et al. 2020, "U-GAT-IT", section 2.1.1, in the authors' light form, which takes any size: an
    encoder with residual blocks; an auxiliary classifier whose weights scale the encoder's
    channels, a class activation map (Zhou et al. 2016); residual blocks with adaptive
    layer-instance norm, whose scale and offset are computed from the weighted features. For domains
    that differ in shape as well as in texture. `CycleGAN.compile(activation_loss=1000.0)`, the
    paper's weight, trains the classifier: is an image of the domain that is translated from?

    Args:
        image_shape, output_channels, filters, dtype: as for `ResNetGenerator`.
        num_blocks: int. Residual blocks before the attention, and as many after it. None takes the
            light form's 4.
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
        image_shape, images = image_input(image_shape)
        num_blocks = 4 if num_blocks is None else num_blocks
        blocks = _Stages(dtype, mode="reflect", use_bias=False)
        wide = 4 * filters

        x = blocks.conv_norm_relu(images, filters, 7, "stem")
        for i in (1, 2):
            x = blocks.conv_norm_relu(x, 2**i * filters, 3, f"down{i}", strides=2)
        for i in range(num_blocks):
            x = blocks.residual(x, f"encode{i + 1}", blocks.norm)

        x, logits = blocks.attend(x)  # (n, h/4, w/4, 4f), (n, 2)
        x = blocks.relu(x, "attended_relu")
        style = layers.GlobalAveragePooling2D(name="style_pool", dtype=dtype)(x)
        for i in (1, 2):
            style = blocks.relu(blocks.dense(style, wide, f"style{i}"), f"style{i}_relu")
        scale, offset = (blocks.dense(style, wide, part) for part in ("scale", "offset"))

        def adaptive(x, name):
            return AdaptiveInstanceLayerNormalization(name=name, dtype=dtype)([x, scale, offset])

        for i in range(num_blocks):
            x = blocks.residual(x, f"decode{i + 1}", adaptive)
        for i in (1, 2):
            x = layers.UpSampling2D(2, name=f"up{i}_resize", dtype=dtype)(x)
            x = blocks.convolve(x, wide // 2**i, 3, f"up{i}")
            x = InstanceLayerNormalization(name=f"up{i}_norm", dtype=dtype)(x)
            x = blocks.relu(x, f"up{i}_relu")
        x = blocks.translation(blocks.convolve(x, output_channels, 7, "head"))
        super().__init__(images, x, locals(), multiple=4)
        head = keras.Model(images, logits)
        self._head = lambda: head  # a function hides it from Keras, which would save it

    def class_logits(self, images, training=False):
        """Return logits `(n, 2)`, above 0 for images of the domain that is translated from."""
        check_multiple(*images.shape[1:3], self.multiple, "This UGATITGenerator")
        return self._head()(images, training=training)


@keras.saving.register_keras_serializable("keras_cyclegan")
class UGATITDiscriminator(ImageNetwork):
    """Judges small and large patches, with features weighted by what tells real from translated.

    Kim et al. 2020, "U-GAT-IT", section 2.1.2: two PatchGANs with spectral norm, whose features are
    weighted by a class activation map before the last convolution; one sees patches of 70 pixels,
    the other most of an image. Their auxiliary classifiers judge the whole image. Logits are a list
    of four: the local PatchGAN's, its classifier's, and both of the global one.

    Args:
        image_shape, dtype: as for `PatchDiscriminator`; at least 96 pixels for 7 layers.
        filters: int. Width of the first layer, doubled layer by layer.
        num_layers: two ints of at least 3; (5, 7) are the paper's. Layers of the local and of the
            global PatchGAN. One int n is short for (n, n + 2).
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        num_layers: int | tuple[int, ...] = (5, 7),
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if isinstance(num_layers, int):
            num_layers = num_layers, num_layers + 2
        num_layers = tuple(num_layers)
        if min(num_layers) < 3:
            raise ValueError(f"`num_layers` must be at least 3. Received {num_layers}.")
        blocks = _Stages(dtype, mode="reflect", spectral_norm=True)
        local = blocks.judge(images, filters, num_layers[0], "local")
        whole = blocks.judge(images, filters, num_layers[1], "global")
        super().__init__(images, [*local, *whole], locals())


class _Stages(Blocks):
    """The blocks of both networks."""

    def residual(self, x, name, norm):
        change = norm(self.convolve(x, x.shape[-1], 3, f"{name}_1"), f"{name}_1_norm")
        change = self.relu(change, f"{name}_relu")
        change = norm(self.convolve(change, x.shape[-1], 3, f"{name}_2"), f"{name}_2_norm")
        return self.add(x, change, f"{name}_add")

    def dense(self, x, units, name):
        options = {"kernel_initializer": normal_initializer(), "name": name, "dtype": self.dtype}
        return layers.Dense(units, use_bias=False, **options)(x)

    def attend(self, x, prefix=""):
        """Weight features by class activation, and mix them; return the logits `(n, 2)` too."""
        options = {"name": f"{prefix}activation", "dtype": self.dtype}
        weighted, logits = ClassActivation(self.spectral_norm, **options)(x)
        logits = self.output(logits, "linear", f"{prefix}activation_logits")
        mix = Blocks(self.dtype).conv
        return mix(weighted, x.shape[-1], 1, name=f"{prefix}attended_conv"), logits

    def judge(self, x, filters, num_layers, name):
        """Add a PatchGAN; return its logits, and those of its auxiliary classifier."""
        for i in range(1, num_layers):
            x = self.pad(x, 1, f"{name}_conv{i}_pad")
            strides = 2 if i < num_layers - 1 else 1
            x = self.conv(x, filters * 2 ** (i - 1), 4, strides, f"{name}_conv{i}")
            x = self.leaky_relu(x, f"{name}_relu{i}")
        x, auxiliary = self.attend(x, f"{name}_")
        x = self.pad(self.leaky_relu(x, f"{name}_attended_relu"), 1, f"{name}_logits_pad")
        x = self.conv(x, 1, 4, name=f"{name}_logits", use_bias=False)
        reshape = layers.Reshape((1, 1, 2), dtype="float32", name=f"{name}_auxiliary")
        return self.output(x, "linear", name), reshape(auxiliary)


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivation(Configured, layers.Layer):
    """Weights each channel by how much it tells about an image's class.

    Zhou et al. 2016, as used by Kim et al. 2020, section 2.1.1: one linear classifier sees the
    channels' means, one their maxima; the weights that they learn scale the channels. It returns
    these, `(n, h, w, 2 · channels)`, and the logits, `(n, 2)`.
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
        if self.spectral_norm:  # of a classifier with one output: the norm
            weights = [weight / (ops.norm(weight) + 1e-12) for weight in weights]
        weights = [ops.cast(weight, x.dtype) for weight in weights]
        pooled = ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))
        logits = [ops.sum(p * w, axis=-1) for p, w in zip(pooled, weights, strict=True)]
        weighted = ops.concatenate([x * weight for weight in weights], axis=-1)
        return weighted, ops.stack(logits, axis=-1)
