"""A generator that changes only the parts of an image that its masks select."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import Tensor, check_multiple
from keras_cyclegan.networks.base import ImageNetwork, image_input
from keras_cyclegan.networks.resnet import SMALL, Stages, paper_blocks


@keras.saving.register_keras_serializable("keras_cyclegan")
class AttentionGenerator(ImageNetwork):
    """Translates the objects of an image, and leaves its background as it was.

    Tang et al. 2021, "AttentionGAN", scheme II, eq. (5) and (6): an encoder with residual blocks,
    then two decoders. One paints `foregrounds` images C_k, the other gives masks A_k that sum to 1
    at each pixel and weigh these images; the last mask keeps the background:

        translation = Σ_k C_k · A_k + image · A_background

    For domains that differ in parts of the image only: animals in a landscape, faces. It gives as
    many channels as it takes. Arguments that aren't named here are as for `ResNetGenerator`:
    image_shape, filters, num_blocks, upsampling, affine_norm, padding, dropout, block, dtype.

    Args:
        foregrounds: int. Images that are painted. None takes the paper's 9, and 1 for a shared
            decoder.
        shared_decoder: bool. Whether one decoder gives both images and masks, as light as a
            `ResNetGenerator`. That mask starts at 0.95: near 0 it would let hardly any gradient
            through.
        input_skip: as for `ResNetGenerator`, of each foreground: a strong cycle loss can close the
            mask of painting that begins as gray.
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        num_blocks: int | None = None,
        foregrounds: int | None = None,
        upsampling: str = "transposed",
        affine_norm: bool = False,
        padding: str = "reflect",
        dropout: float = 0.0,
        block: str = "standard",
        shared_decoder: bool = False,
        input_skip: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape, images = image_input(image_shape)
        if foregrounds is None:
            foregrounds = 1 if shared_decoder else 9
        if foregrounds < 1:
            raise ValueError(f"`foregrounds` is an int of at least 1. Received {foregrounds}.")
        if shared_decoder and foregrounds != 1:
            raise ValueError(f"A shared decoder paints one foreground. Received {foregrounds}.")
        num_blocks = paper_blocks(image_shape) if num_blocks is None else num_blocks
        stages = Stages(
            dtype, padding, affine_norm, upsampling=upsampling, block=block, dropout=dropout
        )
        x = stages.encode(images, filters, num_blocks)  # (n, h/4, w/4, 4f)

        head = stages.decode(x, filters, "content_")  # (n, h, w, f)
        head = stages.pad(head, 3, "content_head_pad")
        count, stddev = foregrounds * image_shape[2], SMALL if input_skip else None
        painted = stages.conv(head, count, 7, name="content_head_conv", stddev=stddev)
        copies = images if input_skip else None
        if input_skip and foregrounds > 1:
            copies = layers.Concatenate(name="copies", dtype="float32")([images] * foregrounds)
        painted = stages.translation(painted, copies, "content")  # (n, h, w, K·c)

        if shared_decoder:
            mask = stages.conv(head, 1, 7, name="attention_head_conv")
            masks = OpenMask(name="attention", dtype="float32")(mask)  # (n, h, w, 2)
        else:
            masks = stages.decode(x, filters, "attention_")
            masks = stages.conv(masks, foregrounds + 1, 1, name="attention_head_conv")
            masks = stages.output(masks, "softmax", "attention")  # (n, h, w, K + 1)

        blended = BlendForegrounds(name="blend", dtype="float32")([images, painted, masks])
        super().__init__(images, blended, locals(), multiple=4)

    def foreground(self, images: Tensor) -> Tensor:
        """Return how much of each pixel is painted, `(batch, height, width, 1)`, from 0 to 1."""
        check_multiple(images.shape[1], images.shape[2], 4, "An attention generator")
        return 1.0 - self.attention_network()(images, training=False)[..., -1:]

    def attention_network(self) -> keras.Model:
        """Return the network of the masks, `(batch, height, width, foregrounds + 1)`."""
        return keras.Model(self.input, self.get_layer("attention").output)


@keras.saving.register_keras_serializable("keras_cyclegan")
class OpenMask(layers.Layer):
    """Turns logits `(n, h, w, 1)` into m = σ(logits + 3), near 1 at first, and 1 − m."""

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def call(self, logits):
        mask = ops.sigmoid(logits + 3.0)
        return ops.concatenate([mask, 1.0 - mask], axis=-1)


@keras.saving.register_keras_serializable("keras_cyclegan")
class BlendForegrounds(layers.Layer):
    """Adds up painted images and the input, each weighted by its mask."""

    pointwise = True

    def call(self, inputs):
        images, painted, masks = inputs  # (n, h, w, c), (n, h, w, K·c), (n, h, w, K + 1)
        channels = images.shape[-1]
        blended = images * masks[..., -1:]
        for k in range(masks.shape[-1] - 1):
            blended += painted[..., k * channels : (k + 1) * channels] * masks[..., k : k + 1]
        return blended

    def compute_output_shape(self, input_shape):
        if len({tuple(shape[1:3]) for shape in input_shape}) > 1:
            raise ValueError(f"Images, paintings and masks have one size. Received {input_shape}.")
        return input_shape[0]
