"""Discriminators that judge an image patch by patch, at several scales, or pixel by pixel."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input
from keras_cyclegan.networks.size_limits import check_counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class PatchDiscriminator(ImageNetwork):
    """Judges whether overlapping patches of an image are real.

    Isola et al. 2017 and Zhu et al. 2017 (appendix, section 7.2). With the default three layers
    each logit sees 70×70 pixels; 16, 34, 70, 142, 286, 574 pixels for 1 to 6 layers. An image has
    3·2ⁿ pixels a side or more. There is no sigmoid: the loss decides what a logit means.

    Args:
        image_shape: `(height, width, channels)` of the input. Only the channels are fixed.
        filters: int. Width of the first layer; doubled up to eight times as many.
        num_layers: int of at least 1. Convolutions of stride 2.
        affine_norm: bool. Whether instance norms learn a scale and an offset.
        spectral_norm: bool. Whether kernels have spectral norm.
        dtype: dtype or policy of every layer, None for the global one.

    Returns:
        Logits `(batch, rows, columns, 1)`, float32; 30×30 for 256×256 pixels.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        num_layers: int = 3,
        affine_norm: bool = False,
        spectral_norm: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if num_layers < 1:
            raise ValueError(f"`num_layers` must be at least 1. Received num_layers={num_layers}.")
        blocks = Blocks(dtype, affine_norm=affine_norm, spectral_norm=spectral_norm)
        x = images
        for i in range(num_layers + 1):
            x = blocks.pad(x, 1, f"pad{i + 1}")
            strides = 2 if i < num_layers else 1
            x = blocks.conv(x, filters * min(2**i, 8), 4, strides, f"conv{i + 1}")
            if i:
                x = blocks.norm(x, f"norm{i + 1}")
            x = blocks.leaky_relu(x, f"relu{i + 1}")
        x = blocks.conv(blocks.pad(x, 1, "logits_pad"), 1, 4, name="logits_conv")
        super().__init__(images, blocks.output(x, "linear", "logits"), locals())

    @staticmethod
    def torch_layout(tensors):
        """Say what the authors' tensors make, `model.0.weight` and so on: `checkpoints.py`."""
        if "model.0.weight" not in tensors:
            return None
        filters, channels = tensors.kernel("model.0.weight")[:2]
        last = tensors.last(r"model\.(\d{1,9})\.weight$")  # the logits' 3 * num_layers + 2
        num_layers = max(1, (last - 2) // 3)
        counts = {"num_layers": num_layers}
        check_counts("PatchDiscriminator", counts)
        arguments = {"image_shape": (None, None, channels), "filters": filters, **counts}
        modules = {"model.0": "conv1", f"model.{3 * num_layers + 2}": "logits_conv"}
        for i in range(1, num_layers + 1):
            modules |= {f"model.{3 * i - 1}": f"conv{i + 1}", f"model.{3 * i}": f"norm{i + 1}"}
        return arguments, modules


@keras.saving.register_keras_serializable("keras_cyclegan")
class PixelDiscriminator(ImageNetwork):
    """Judges each pixel by its own colour alone.

    The 1×1 PatchGAN of Isola et al. 2017, section 3.2.2, the authors' `pixel`: it asks for the
    right colours and not for sharpness. It gives logits `(batch, height, width, 1)`, float32.

    Args:
        image_shape, affine_norm, dtype: as for `PatchDiscriminator`.
        filters: int. Width of the first layer; the second is twice as wide.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        affine_norm: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        blocks = Blocks(dtype, affine_norm=affine_norm)
        x = blocks.leaky_relu(blocks.conv(images, filters, 1, name="conv1"), "relu1")
        x = blocks.norm(blocks.conv(x, 2 * filters, 1, name="conv2"), "norm2")
        x = blocks.conv(blocks.leaky_relu(x, "relu2"), 1, 1, name="logits_conv")
        super().__init__(images, blocks.output(x, "linear", "logits"), locals())

    @staticmethod
    def torch_layout(tensors):
        """Say what the authors' tensors make, `net.0.weight` and so on: `checkpoints.py`."""
        if not tensors.matches(r"net\.\d+\."):
            return None
        filters, channels = tensors.kernel("net.0.weight")[:2]
        modules = {"net.0": "conv1", "net.2": "conv2", "net.3": "norm2", "net.5": "logits_conv"}
        return {"image_shape": (None, None, channels), "filters": filters}, modules


@keras.saving.register_keras_serializable("keras_cyclegan")
class MultiScaleDiscriminator(ImageNetwork):
    """Judges patches of an image, of the image at half its size, and so on.

    Wang et al. 2018 (pix2pixHD), section 3.2: several PatchGANs of one architecture, each with its
    own weights and logits, the finest scale first. To halve an image, the mean is taken over the
    3×3 pixels around every second one, those outside of the image left out: torch's
    `AvgPool2d(3, stride=2, padding=1, count_include_pad=False)`.

    Args:
        image_shape, filters, num_layers, affine_norm, spectral_norm, dtype: as for
            `PatchDiscriminator`.
        num_scales: int; 3 is the paper's. Number of PatchGANs.
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
        image_shape, images = image_input(image_shape)
        if num_scales < 1:
            raise ValueError(f"`num_scales` must be at least 1. Received num_scales={num_scales}.")
        x, logits = images, []
        arguments = image_shape, filters, num_layers, affine_norm, spectral_norm
        for i in range(num_scales):
            if i:
                x = HalveByMean(name=f"halve{i}", dtype=dtype)(x)
            logits.append(PatchDiscriminator(*arguments, dtype, f"scale{i + 1}")(x))
        super().__init__(images, logits, locals())


@keras.saving.register_keras_serializable("keras_cyclegan")
class HalveByMean(layers.Layer):
    """Halves images: takes the mean over the 3×3 pixels around every second one."""

    def call(self, images):
        # Not "same", which pads an even size on one side only.
        sums, counts = (
            ops.average_pool(
                ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 2, data_format="channels_last"
            )
            for x in (images, ops.ones_like(images[:1, :, :, :1]))
        )
        return sums / counts
