"""A generator that changes only the parts of an image that its masks select."""

from typing import Any

import keras
from keras import layers, ops

from keras_cyclegan.arguments import Tensor, check_choice, check_image_shape, check_multiple
from keras_cyclegan.layers import InputSkip
from keras_cyclegan.networks.building_blocks import conv, float32_activation
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.resnet import Stages, paper_blocks


@keras.saving.register_keras_serializable("keras_cyclegan")
class AttentionGenerator(ImageNetwork):
    """Translates the objects of an image, and leaves its background as it was.

    Tang et al. 2021, "AttentionGAN", scheme II, eq. (5) and (6): an encoder with residual blocks,
    then two decoders. One paints `foregrounds` images C_k, the other gives masks A_k that sum to 1
    at each pixel and weigh these images; the last mask keeps the background:

        translation = Σ_k C_k · A_k + image · A_background

    For domains that differ in parts of the image only: animals in a landscape, faces.

    Two options make it as light as a `ResNetGenerator`: separable blocks, and one decoder for both
    (`shared_decoder`), with one foreground and a 7×7 head for colours and mask. That mask starts at
    0.95, near "paint everything": a mask near 0 lets hardly any gradient through, and the network
    stays at the identity. Where painting begins as gray, a strong cycle loss can still close the
    mask within tens of steps. With `input_skip` painting begins as the image, and costs nothing.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed, for input and output: the network takes every height and width that
            are multiples of 4.
        filters: int, 64 by default. Width of the first layer; the residual blocks have four times
            as many.
        num_blocks: int. Residual blocks. None, the default, takes 9 from 256 pixels on, 6 below.
        foregrounds: int. Images that are painted. None, the default, takes the paper's 9, and 1
            for a shared decoder.
        upsampling: `"transposed"` (the default, the paper's) or `"resize"`, see `ResNetGenerator`.
        affine_norm: bool, False by default. Whether instance norms learn a scale and an offset.
        padding: `"reflect"` (the default) or `"zeros"`, around the image and in residual blocks.
        dropout: float, 0 by default. Rate between the two convolutions of a block.
        block: `"standard"` (the default) or `"separable"`, see `ResNetGenerator`.
        shared_decoder: bool, False by default. Whether one decoder gives both images and masks.
        input_skip: bool, False by default. Whether each foreground is `tanh(h + artanh(0.98 ·
            image))`, with h the head's linear output, started small, see `ResNetGenerator`.
        dtype: dtype or policy of every layer, the global one by default; the output is float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        `(batch, height, width, channels)`, float32, in [-1, 1].

    Raises:
        ValueError: an unknown option, several foregrounds of a shared decoder, or a height or width
            that is no multiple of 4.

    Example:

    ```python
    generators = [AttentionGenerator((256, 256, 3)) for _ in range(2)]
    model = CycleGAN(*generators)
    painted = generators[0].foreground(images)  # (n, h, w, 1): where it translates
    ```
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
        height, width, channels = check_image_shape(image_shape)
        check_multiple(height, width, 4, "An attention generator")
        check_choice("upsampling", upsampling, ("transposed", "resize"))
        check_choice("padding", padding, ("reflect", "zeros"))
        check_choice("block", block, ("standard", "separable"))
        if foregrounds is None:
            foregrounds = 1 if shared_decoder else 9
        if not isinstance(foregrounds, int) or foregrounds < 1:
            raise ValueError(f"`foregrounds` is an int of at least 1. Received {foregrounds!r}.")
        if shared_decoder and foregrounds != 1:
            raise ValueError(f"A shared decoder paints one foreground. Received {foregrounds}.")
        if num_blocks is None:
            num_blocks = paper_blocks(height, width)
        stages = Stages(upsampling, block, affine_norm, padding, dropout, dtype)

        images = keras.Input((None, None, channels), name="images")
        x = stages.encode(images, filters, num_blocks)  # (n, h/4, w/4, 4f)

        head = stages.decode(x, filters, "content_")  # (n, h, w, f)
        head = stages.pad(head, 3, "content_head_pad")
        stddev = 0.002 if input_skip else 0.02
        painted = conv(
            foregrounds * channels, 7, name="content_head_conv", dtype=dtype, stddev=stddev
        )(head)
        if input_skip:
            copies = images
            if foregrounds > 1:
                copies = layers.Concatenate(name="copies", dtype="float32")([images] * foregrounds)
            painted = InputSkip(name="input_skip", dtype="float32")([painted, copies])
        painted = float32_activation("tanh", "content")(painted)  # (n, h, w, K·c)

        if shared_decoder:
            mask = conv(1, 7, name="attention_head_conv", dtype=dtype)(head)
            masks = OpenMask(name="attention", dtype="float32")(mask)  # (n, h, w, 2)
        else:
            masks = stages.decode(x, filters, "attention_")
            masks = conv(foregrounds + 1, 1, name="attention_head_conv", dtype=dtype)(masks)
            masks = float32_activation("softmax", "attention")(masks)  # (n, h, w, K + 1)

        blended = BlendForegrounds(name="blend", dtype="float32")([images, painted, masks])
        super().__init__(
            images,
            blended,
            dtype,
            name,
            image_shape=(height, width, channels),
            filters=filters,
            num_blocks=num_blocks,
            foregrounds=foregrounds,
            upsampling=upsampling,
            affine_norm=affine_norm,
            padding=padding,
            dropout=dropout,
            block=block,
            shared_decoder=shared_decoder,
            input_skip=input_skip,
            multiple=4,
        )

    def foreground(self, images: Tensor) -> Tensor:
        """Return how much of each pixel is painted, from 0 to 1.

        Args:
            images: `(batch, height, width, channels)`, in [-1, 1]; height and width are multiples
                of 4.

        Returns:
            `(batch, height, width, 1)`, float32.

        Raises:
            ValueError: the height or the width is no multiple of 4.
        """
        check_multiple(images.shape[1], images.shape[2], 4, "An attention generator")
        masks = self.attention_network()(images, training=False)
        return 1.0 - masks[..., -1:]

    def attention_network(self) -> keras.Model:
        """Return the network of the masks alone, `(batch, height, width, foregrounds + 1)`.

        The masks sum to 1; the last one is the background's. `CycleGAN.translate` uses it where
        `return_attention` is True.
        """
        return keras.Model(self.input, self.get_layer("attention").output)


@keras.saving.register_keras_serializable("keras_cyclegan")
class OpenMask(layers.Layer):
    """Turns logits into the masks of one foreground, which starts near 1, and of the background.

    Call arguments:
        logits: `(n, h, w, 1)`.

    Returns:
        `(n, h, w, 2)`: m = σ(logits + 3), and 1 − m.
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def call(self, logits):
        mask = ops.sigmoid(logits + 3.0)
        return ops.concatenate([mask, 1.0 - mask], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)


@keras.saving.register_keras_serializable("keras_cyclegan")
class BlendForegrounds(layers.Layer):
    """Adds up painted images and the input, each weighted by its mask.

    Call arguments:
        inputs: the images `(n, h, w, c)`, K painted images in one tensor `(n, h, w, K·c)`, and
            their masks with the background's last `(n, h, w, K + 1)`, which sum to 1.

    Returns:
        `(n, h, w, c)`.
    """

    pointwise = True  # tells `inference.tile_plan` that each pixel depends on itself alone

    def call(self, inputs):
        images, painted, masks = inputs
        channels = images.shape[-1]
        blended = images * masks[..., -1:]
        for k in range(masks.shape[-1] - 1):
            blended += painted[..., k * channels : (k + 1) * channels] * masks[..., k : k + 1]
        return blended

    def compute_output_shape(self, input_shape):
        images, painted, masks = input_shape
        if not images[1:3] == painted[1:3] == masks[1:3]:
            raise ValueError(
                "Images, painted images and masks must have one size. Received "
                f"{images[1:3]}, {painted[1:3]} and {masks[1:3]}."
            )
        return images
