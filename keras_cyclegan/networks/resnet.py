"""The paper's generator: two halvings, residual blocks, two doublings."""

from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_choice, check_image_shape, check_multiple
from keras_cyclegan.layers import InputSkip
from keras_cyclegan.layers.convolution import Conv2D, Cropping2D
from keras_cyclegan.networks.building_blocks import (
    conv,
    float32_activation,
    instance_norm,
    normal_initializer,
    padding,
)
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.size_limits import check_counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class ResNetGenerator(ImageNetwork):
    """Translates images with a residual network.

    Johnson et al. 2016, as used by Zhu et al. 2017 (appendix, section 7.2) and by the authors'
    `resnet_9blocks` (256×256) and `resnet_6blocks` (128×128), layer by layer. There is no ReLU
    after a residual sum.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed: the network takes every height and width that are multiples of 4.
        output_channels: int, 3 by default. Channels of the translation.
        filters: int, 64 by default. Width of the first layer; the residual blocks have four times
            as many.
        num_blocks: int. Residual blocks. None, the default, takes the paper's: 9 from 256 pixels
            on, 6 below.
        upsampling: `"transposed"` (the default, the paper's) or `"resize"`: nearest-neighbour
            doubling and a convolution, free of checkerboard (Odena et al. 2016).
        block: `"standard"` (the default) or `"separable"`: depthwise 3×3, norm, 1×1 in place of
            each 3×3 convolution of the residual blocks, at about a tenth of their cost (Li et al.
            2020, GAN Compression).
        affine_norm: bool, False by default. Whether instance norms learn a scale and an offset
            (2017 checkpoints).
        padding: `"reflect"` (the default) or `"zeros"`, around the image and in residual blocks.
        dropout: float, 0 by default. Rate between the two convolutions of a block; the authors'
            option is 0.5.
        input_skip: bool, False by default. Whether the output is `tanh(h + artanh(0.98 · image))`
            in place of `tanh(h)`, with h the linear output of the last convolution, which starts
            small. The network then begins near the identity and learns what to change. Input and
            output need equal channels.
        dtype: dtype or policy of every layer, the global one by default; the output is float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        `(batch, height, width, output_channels)`, float32, in [-1, 1].

    Raises:
        ValueError: an unknown option, a height or width that is no multiple of 4, or `input_skip`
            where input and output differ in their channels.

    Example:

    ```python
    generator = ResNetGenerator((256, 256, 3))
    generator.count_params()  # 11378179
    ```
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
        height, width, channels = check_image_shape(image_shape)
        check_multiple(height, width, 4, "A ResNet generator")
        check_choice("upsampling", upsampling, ("transposed", "resize"))
        check_choice("block", block, ("standard", "separable"))
        check_choice("padding", padding, ("reflect", "zeros"))
        if input_skip and channels != output_channels:
            raise ValueError(
                "`input_skip` adds the input to the output: they need equal channels. Received "
                f"{channels} in, output_channels={output_channels}."
            )
        if num_blocks is None:
            num_blocks = paper_blocks(height, width)
        stages = Stages(upsampling, block, affine_norm, padding, dropout, dtype)

        images = keras.Input((None, None, channels), name="images")
        x = stages.encode(images, filters, num_blocks)  # (n, h/4, w/4, 4f)
        x = stages.decode(x, filters)  # (n, h, w, f)
        x = stages.pad(x, 3, "head_pad")
        # With a skip, weights of a tenth of the usual size: the network begins near the identity.
        stddev = 0.002 if input_skip else 0.02
        x = conv(output_channels, 7, name="head_conv", dtype=dtype, stddev=stddev)(x)
        if input_skip:
            x = InputSkip(name="input_skip", dtype="float32")([x, images])
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
            upsampling=upsampling,
            block=block,
            affine_norm=affine_norm,
            padding=padding,
            dropout=dropout,
            input_skip=input_skip,
            multiple=4,
        )

    @staticmethod
    def torch_layout(shapes):
        """Say what the authors' tensors make, `model.10.conv_block.1.weight`: `checkpoints.py`."""
        if "model.1.weight" not in shapes and not shapes.matches(r"model\.\d+\.conv_block\."):
            return None
        num_blocks = max(0, shapes.last(r"model\.(\d{1,9})\.conv_block\.", otherwise=9) - 9)
        check_counts("ResNetGenerator", {"num_blocks": num_blocks})
        last = num_blocks + 17
        filters, channels = shapes.kernel("model.1.weight")[:2]
        second = "model.10.conv_block.6.weight"  # with dropout, else at 5 and its norm at 6
        has_dropout = second in shapes and len(shapes.tensors[second].shape) == 4
        size = 256 if num_blocks > 6 else 128
        arguments = {
            "image_shape": (size, size, channels),
            "output_channels": shapes.kernel(f"model.{last}.weight")[0],
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


def paper_blocks(height, width):
    """Return the paper's number of residual blocks for images of this size."""
    return 9 if min(height or 256, width or 256) >= 256 else 6


class Stages:
    """The stages of a residual generator, with the options that they share."""

    def __init__(self, upsampling, block, affine_norm, padding, dropout, dtype):
        self.upsampling = upsampling
        self.block = block
        self.affine_norm = affine_norm
        self.padding = padding
        self.dropout = dropout
        self.dtype = dtype

    def encode(self, images, filters, num_blocks):
        x = self.convolve(images, 3, filters, 7, "stem")  # (n, h, w, f)
        x = self.halve(x, 2 * filters, "down1")  # (n, h/2, w/2, 2f)
        x = self.halve(x, 4 * filters, "down2")  # (n, h/4, w/4, 4f)
        for i in range(num_blocks):
            x = self.residual(x, f"block{i + 1}")
        return x

    def decode(self, x, filters, prefix=""):
        x = self.double(x, 2 * filters, f"{prefix}up1")  # (n, h/2, w/2, 2f)
        return self.double(x, filters, f"{prefix}up2")  # (n, h, w, f)

    def pad(self, x, amount, name):
        return padding(amount, self.padding, name, self.dtype)(x)

    def norm(self, x, name):
        return instance_norm(self.affine_norm, name, self.dtype)(x)

    def norm_relu(self, x, name):
        x = self.norm(x, f"{name}_norm")
        return layers.ReLU(name=f"{name}_relu", dtype=self.dtype)(x)

    def convolve(self, x, margin, filters, kernel_size, name):
        """Pad, convolve to the same size, normalise."""
        x = self.pad(x, margin, f"{name}_pad")
        x = conv(filters, kernel_size, name=f"{name}_conv", dtype=self.dtype)(x)
        return self.norm_relu(x, name)

    def halve(self, x, filters, name):
        # torch's padding=1: `padding="same"` would sample one pixel to the right and below.
        x = layers.ZeroPadding2D(1, name=f"{name}_pad", dtype=self.dtype)(x)
        x = conv(filters, 3, 2, name=f"{name}_conv", dtype=self.dtype)(x)
        return self.norm_relu(x, name)

    def double(self, x, filters, name):
        if self.upsampling == "resize":
            x = Conv2D(
                filters,
                mode=self.padding,
                kernel_initializer=normal_initializer(),
                name=f"{name}_conv",
                dtype=self.dtype,
            )(x)
            return self.norm_relu(x, name)
        x = layers.Conv2DTranspose(
            filters,
            3,
            2,
            padding="valid",
            kernel_initializer=normal_initializer(),
            name=f"{name}_conv",
            dtype=self.dtype,
        )(x)
        # torch's padding=1, output_padding=1.
        x = Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop", dtype=self.dtype)(x)
        return self.norm_relu(x, name)

    def residual(self, x, name):
        shortcut = x
        x = self.convolve_block(x, f"{name}_1")
        x = layers.ReLU(name=f"{name}_relu", dtype=self.dtype)(x)
        if self.dropout:
            x = layers.Dropout(self.dropout, name=f"{name}_dropout", dtype=self.dtype)(x)
        x = self.convolve_block(x, f"{name}_2")
        return layers.Add(name=f"{name}_add", dtype=self.dtype)([shortcut, x])

    def convolve_block(self, x, name):
        filters = x.shape[-1]
        x = self.pad(x, 1, f"{name}_pad")
        if self.block == "standard":
            x = conv(filters, 3, name=f"{name}_conv", dtype=self.dtype)(x)
        else:
            x = layers.DepthwiseConv2D(
                3,
                depthwise_initializer=normal_initializer(),
                name=f"{name}_depthwise",
                dtype=self.dtype,
            )(x)
            x = self.norm(x, f"{name}_depthwise_norm")
            x = conv(filters, 1, name=f"{name}_pointwise", dtype=self.dtype)(x)
        return self.norm(x, f"{name}_norm")
