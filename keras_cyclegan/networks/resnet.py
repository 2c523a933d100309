"""The paper's generator: two halvings, residual blocks, two doublings."""

import dataclasses
from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_choice
from keras_cyclegan.layers.convolution import Cropping2D
from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input, normal_initializer
from keras_cyclegan.networks.size_limits import check_counts

SMALL = 0.002  # of a head whose output is added to the image: training begins near the identity


@keras.saving.register_keras_serializable("keras_cyclegan")
class ResNetGenerator(ImageNetwork):
    """Translates images with a residual network.

    Johnson et al. 2016, as used by Zhu et al. 2017 (appendix, section 7.2) and by the authors'
    `resnet_9blocks` (256×256) and `resnet_6blocks` (128×128), layer by layer. There is no ReLU
    after a residual sum.

    Args:
        image_shape: `(height, width, channels)` of the input. Only the channels are fixed: the
            network takes every height and width that are multiples of 4.
        output_channels: int. Channels of the translation.
        filters: int. Width of the first layer; residual blocks have four times as many.
        num_blocks: int. Residual blocks. None takes the paper's: 9 from 256 pixels on, 6 below.
        upsampling: `"transposed"` (the paper's) or `"resize"`: nearest-neighbour doubling and a
            convolution, free of checkerboard (Odena et al. 2016).
        block: `"standard"` or `"separable"`: depthwise 3×3, norm, 1×1 in place of each 3×3
            convolution of the residual blocks, at about a tenth of their cost (Li et al. 2020, GAN
            Compression).
        affine_norm: bool. Whether instance norms learn a scale and an offset (2017 checkpoints).
        padding: `"reflect"` or `"zeros"`, around the image and in residual blocks.
        dropout: float; the authors' option is 0.5. Rate within a residual block.
        input_skip: bool. Whether the output is `tanh(h + artanh(0.98 · image))` in place of
            `tanh(h)`, with h the linear output of the last convolution, which starts small: the
            network begins near the identity. Input and output need equal channels.
        dtype: dtype or policy of every layer, None for the global one; outputs are float32.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1], as translations are.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        output_channels: int = 3,
        filters: int = 64,
        num_blocks: int | None = None,
        upsampling: str = "transposed",
        block: str = "standard",
        affine_norm: bool = False,
        padding: str = "reflect",
        dropout: float = 0.0,
        input_skip: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if input_skip and image_shape[2] != output_channels:
            raise ValueError(
                f"`input_skip` needs equal channels. Received {image_shape=}, {output_channels=}."
            )
        num_blocks = paper_blocks(image_shape) if num_blocks is None else num_blocks
        stages = Stages(
            dtype, padding, affine_norm, upsampling=upsampling, block=block, dropout=dropout
        )
        x = stages.encode(images, filters, num_blocks)  # (n, h/4, w/4, 4f)
        x = stages.decode(x, filters)  # (n, h, w, f)
        x = stages.convolve(x, output_channels, 7, "head", stddev=SMALL if input_skip else None)
        x = stages.translation(x, images if input_skip else None)
        super().__init__(images, x, locals(), multiple=4)

    @staticmethod
    def torch_layout(tensors):
        """Say what the authors' tensors make, `model.10.conv_block.1.weight`: `checkpoints.py`."""
        if "model.1.weight" not in tensors and not tensors.matches(r"model\.\d+\.conv_block\."):
            return None
        num_blocks = max(0, tensors.last(r"model\.(\d{1,9})\.conv_block\.", otherwise=9) - 9)
        check_counts("ResNetGenerator", {"num_blocks": num_blocks})
        last = num_blocks + 17
        filters, channels = tensors.kernel("model.1.weight")[:2]
        second = "model.10.conv_block.6.weight"  # with dropout, else at 5 and its norm at 6
        has_dropout = second in tensors and len(tensors[second].shape) == 4
        size = 256 if num_blocks > 6 else 128
        arguments = {
            "image_shape": (size, size, channels),
            "output_channels": tensors.kernel(f"model.{last}.weight")[0],
            "filters": filters,
            "num_blocks": num_blocks,
            "dropout": 0.5 if has_dropout else 0.0,
        }
        modules = {}
        stages = {1: "stem", 4: "down1", 7: "down2", last - 7: "up1", last - 4: "up2"}
        for index, stage in stages.items():
            modules |= {f"model.{index}": f"{stage}_conv", f"model.{index + 1}": f"{stage}_norm"}
        for i in range(num_blocks):
            for half, index in ((1, 1), (2, 6 if has_dropout else 5)):
                modules[f"model.{10 + i}.conv_block.{index}"] = f"block{i + 1}_{half}_conv"
                modules[f"model.{10 + i}.conv_block.{index + 1}"] = f"block{i + 1}_{half}_norm"
        return arguments, modules | {f"model.{last}": "head_conv"}


def paper_blocks(image_shape):
    """Return the paper's number of residual blocks for images of this shape."""
    return 9 if min(side or 256 for side in image_shape[:2]) >= 256 else 6


@dataclasses.dataclass
class Stages(Blocks):
    """The stages of a residual generator, with the options that they share."""

    upsampling: str = "transposed"
    block: str = "standard"
    dropout: float = 0.0

    def __post_init__(self):
        check_choice("upsampling", self.upsampling, ("transposed", "resize"))
        check_choice("block", self.block, ("standard", "separable"))
        check_choice("padding", self.mode, ("reflect", "zeros"))

    def encode(self, images, filters, num_blocks):
        x = self.conv_norm_relu(images, filters, 7, "stem")  # (n, h, w, f)
        for i in (1, 2):  # to (n, h/4, w/4, 4f)
            # torch's padding=1: `padding="same"` would sample one pixel to the right and below.
            x = self.conv_norm_relu(x, 2**i * filters, 3, f"down{i}", strides=2, mode="zeros")
        for i in range(num_blocks):
            x = self.residual(x, f"block{i + 1}")
        return x

    def decode(self, x, filters, prefix=""):
        x = self.double(x, 2 * filters, f"{prefix}up1")  # (n, h/2, w/2, 2f)
        return self.double(x, filters, f"{prefix}up2")  # (n, h, w, f)

    def double(self, x, filters, name):
        if self.upsampling == "resize":
            x = self.conv(x, filters, 3, name=f"{name}_conv", mode=self.mode)
        else:
            x = self.transposed(x, filters, 3, f"{name}_conv")
            # torch's padding=1, output_padding=1.
            x = Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop", dtype=self.dtype)(x)
        return self.norm_relu(x, name)

    def residual(self, x, name):
        change = self.relu(self.half_block(x, f"{name}_1"), f"{name}_relu")
        if self.dropout:
            options = {"name": f"{name}_dropout", "dtype": self.dtype}
            change = layers.Dropout(self.dropout, **options)(change)
        return self.add(x, self.half_block(change, f"{name}_2"), f"{name}_add")

    def half_block(self, x, name):
        filters = x.shape[-1]
        if self.block == "standard":
            x = self.convolve(x, filters, 3, name)
        else:
            x = self.pad(x, 1, f"{name}_pad")
            options = {"name": f"{name}_depthwise", "dtype": self.dtype}
            x = layers.DepthwiseConv2D(3, depthwise_initializer=normal_initializer(), **options)(x)
            x = self.norm(x, f"{name}_depthwise_norm")
            x = self.conv(x, filters, 1, name=f"{name}_pointwise")
        return self.norm(x, f"{name}_norm")
