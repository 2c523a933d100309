"""The generator of pix2pix: an encoder and a decoder, connected at every resolution."""

from typing import Any

import keras
from keras import layers

from keras_cyclegan.networks.base import Blocks, ImageNetwork, image_input
from keras_cyclegan.networks.size_limits import check_counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class UNetGenerator(ImageNetwork):
    """Translates images with a U-Net.

    Isola et al. 2017 (appendix, section 6.1) as in the authors' `unet_256` (8 halvings) and
    `unet_128` (7): widths 1, 2, 4, 8, 8, … times `filters`, and the encoder's features at each
    resolution concatenated to the decoder's. Sizes are multiples of `2 ** num_downsamplings`.

    Args:
        image_shape, output_channels: as for `ResNetGenerator`.
        filters: int. Width of the outermost layer.
        num_downsamplings: int of at least 5 (the authors' smallest). None takes 7 for images
            smaller than 256 pixels, else 8.
        affine_norm, dtype: as for `ResNetGenerator`.
        dropout: float; the authors' option is 0.5. Rate in the decoder's middle blocks.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        output_channels: int = 3,
        filters: int = 64,
        num_downsamplings: int | None = None,
        affine_norm: bool = False,
        dropout: float = 0.0,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if num_downsamplings is None:
            num_downsamplings = 8 if min(side or 256 for side in image_shape[:2]) >= 256 else 7
        if num_downsamplings < 5:
            raise ValueError(f"A U-Net halves at least 5 times. Received {num_downsamplings=}.")
        blocks = Blocks(dtype, affine_norm=affine_norm)
        x = images
        skips = []
        for i in range(num_downsamplings):
            level = f"down{i + 1}"
            if i:
                x = blocks.leaky_relu(x, f"{level}_relu")
            x = blocks.pad(x, 1, f"{level}_pad")
            x = blocks.conv(x, filters * min(2**i, 8), 4, 2, f"{level}_conv")
            if 0 < i < num_downsamplings - 1:
                x = blocks.norm(x, f"{level}_norm")
            skips.append(x)  # (n, h / 2^(i+1), w / 2^(i+1), c)
        x = skips.pop()  # the innermost has no partner in the decoder
        for i in reversed(range(num_downsamplings)):
            level = f"up{i + 1}"
            x = blocks.relu(x, f"{level}_relu")
            count = filters * min(2 ** (i - 1), 8) if i else output_channels
            x = blocks.transposed(x, count, 4, f"{level}_conv", padding="same")
            if i:
                x = blocks.norm(x, f"{level}_norm")
                if dropout and 4 <= i < num_downsamplings - 1:
                    x = layers.Dropout(dropout, name=f"{level}_dropout", dtype=dtype)(x)
                x = layers.Concatenate(name=f"{level}_skip", dtype=dtype)([skips.pop(), x])
        super().__init__(images, blocks.translation(x), locals(), multiple=2**num_downsamplings)

    @staticmethod
    def torch_layout(tensors):
        """Say what the authors' tensors make, one level inside of the other: `checkpoints.py`."""
        inner = tensors.matches(r"model\.model\.1\.model\.((3\.model\.)*)")
        if not inner:
            return None
        depth = max(len(found[1]) // len("3.model.") for found in inner) + 2
        check_counts("UNetGenerator", {"num_downsamplings": depth})
        filters, channels = tensors.kernel("model.model.0.weight")[:2]
        size = max(2**depth, 128)
        arguments = {
            "image_shape": (size, size, channels),
            "output_channels": tensors.kernel("model.model.3.weight")[1],
            "filters": filters,
            "num_downsamplings": depth,
        }
        modules = {"model.model.0": "down1_conv", "model.model.3": "up1_conv"}
        for level in range(2, depth + 1):
            prefix = "model.model.1.model." + (level - 2) * "3.model."
            is_innermost = level == depth
            modules[f"{prefix}1"] = f"down{level}_conv"
            if not is_innermost:
                modules[f"{prefix}2"] = f"down{level}_norm"
            modules[f"{prefix}{3 if is_innermost else 5}"] = f"up{level}_conv"
            modules[f"{prefix}{4 if is_innermost else 6}"] = f"up{level}_norm"
        return arguments, modules
