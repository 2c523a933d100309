"""The generator of pix2pix: an encoder and a decoder, connected at every resolution."""

from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_image_shape, check_multiple
from keras_cyclegan.networks.building_blocks import (
    conv,
    float32_activation,
    instance_norm,
    normal_initializer,
)
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.size_limits import check_counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class UNetGenerator(ImageNetwork):
    """Translates images with a U-Net.

    Isola et al. 2017 (appendix, section 6.1) as in the authors' `unet_256` (8 halvings) and
    `unet_128` (7): widths 1, 2, 4, 8, 8, … times `filters`, and the encoder's features at each
    resolution concatenated to the decoder's.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed: the network takes every height and width that are multiples of
            `2 ** num_downsamplings`.
        output_channels: int, 3 by default. Channels of the translation.
        filters: int, 64 by default. Width of the outermost layer.
        num_downsamplings: int of at least 5 (the authors' smallest). None, the default, takes 7 for
            images smaller than 256 pixels, else 8.
        affine_norm: bool, False by default. Whether instance norms learn a scale and an offset.
        dropout: float, 0 by default. Rate in the decoder's middle blocks; the authors' option is
            0.5.
        dtype: dtype or policy of every layer, the global one by default; the output is float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        `(batch, height, width, output_channels)`, float32, in [-1, 1].

    Raises:
        ValueError: fewer than 5 halvings, or a height or width that is no multiple of
            `2 ** num_downsamplings`.

    Example:

    ```python
    generators = [UNetGenerator((256, 256, 3), filters=16) for _ in range(2)]
    model = CycleGAN(*generators, discriminator_a=None, discriminator_b=None)
    ```
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
        height, width, channels = check_image_shape(image_shape)
        if num_downsamplings is None:
            num_downsamplings = 8 if min(height or 256, width or 256) >= 256 else 7
        if num_downsamplings < 5:
            raise ValueError(
                f"A U-Net halves at least 5 times. Received num_downsamplings={num_downsamplings}."
            )
        check_multiple(height, width, 2**num_downsamplings, "This U-Net generator")

        images = keras.Input((None, None, channels), name="images")
        x = images
        skips = []
        for i in range(num_downsamplings):
            name_i = f"down{i + 1}"
            if i:
                x = layers.LeakyReLU(0.2, name=f"{name_i}_relu", dtype=dtype)(x)
            x = layers.ZeroPadding2D(1, name=f"{name_i}_pad", dtype=dtype)(x)
            x = conv(filters * min(2**i, 8), 4, 2, name=f"{name_i}_conv", dtype=dtype)(x)
            if 0 < i < num_downsamplings - 1:
                x = instance_norm(affine_norm, f"{name_i}_norm", dtype)(x)
            skips.append(x)  # (n, h / 2^(i+1), w / 2^(i+1), c)
        x = skips.pop()  # the innermost has no partner in the decoder
        for i in reversed(range(num_downsamplings)):
            name_i = f"up{i + 1}"
            x = layers.ReLU(name=f"{name_i}_relu", dtype=dtype)(x)
            x = layers.Conv2DTranspose(
                filters * min(2 ** (i - 1), 8) if i else output_channels,
                4,
                2,
                padding="same",
                kernel_initializer=normal_initializer(),
                name=f"{name_i}_conv",
                dtype=dtype,
            )(x)
            if i:
                x = instance_norm(affine_norm, f"{name_i}_norm", dtype)(x)
                if dropout and 4 <= i < num_downsamplings - 1:
                    x = layers.Dropout(dropout, name=f"{name_i}_dropout", dtype=dtype)(x)
                x = layers.Concatenate(name=f"{name_i}_skip", dtype=dtype)([skips.pop(), x])
        x = float32_activation("tanh", "tanh")(x)
        super().__init__(
            images,
            x,
            dtype,
            name,
            image_shape=(height, width, channels),
            output_channels=output_channels,
            filters=filters,
            num_downsamplings=num_downsamplings,
            affine_norm=affine_norm,
            dropout=dropout,
            multiple=2**num_downsamplings,
        )

    @staticmethod
    def torch_layout(shapes):
        """Say what the authors' tensors make, one level inside of the other: `checkpoints.py`."""
        inner = shapes.matches(r"model\.model\.1\.model\.((3\.model\.)*)")
        if not inner:
            return None
        depth = max(len(found[1]) // len("3.model.") for found in inner) + 2
        check_counts("UNetGenerator", {"num_downsamplings": depth})
        filters, channels = shapes.kernel("model.model.0.weight")[:2]
        size = max(2**depth, 128)
        arguments = {
            "image_shape": (size, size, channels),
            "output_channels": shapes.kernel("model.model.3.weight")[1],
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
