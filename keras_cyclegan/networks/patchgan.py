"""Discriminators that judge an image patch by patch, or pixel by pixel."""

from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_image_shape
from keras_cyclegan.layers import SpectralNormalization
from keras_cyclegan.networks.building_blocks import conv, float32_activation, instance_norm
from keras_cyclegan.networks.image_network import ImageNetwork
from keras_cyclegan.networks.size_limits import check_counts


@keras.saving.register_keras_serializable("keras_cyclegan")
class PatchDiscriminator(ImageNetwork):
    """Judges whether overlapping patches of an image are real.

    Isola et al. 2017 and Zhu et al. 2017 (appendix, section 7.2). With the default three layers
    each logit sees 70×70 pixels; 16, 34, 70, 142, 286, 574 pixels for 1 to 6 layers. There is no
    sigmoid: the loss decides what a logit means.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed.
        filters: int, 64 by default. Width of the first layer; doubled layer by layer up to eight
            times as many.
        num_layers: int of at least 1, 3 by default. Convolutions of stride 2.
        affine_norm: bool, False by default. Whether instance norms learn a scale and an offset.
        spectral_norm: bool, False by default. Whether kernels are divided by their spectral norm
            (Miyato et al. 2018).
        dtype: dtype or policy of every layer, the global one by default; the logits are float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        Logits `(batch, rows, columns, 1)`, float32; 30×30 for 256×256 pixels.

    Raises:
        ValueError: `num_layers` below 1, or an `image_shape` too small for one logit.

    Example:

    ```python
    discriminator = PatchDiscriminator((256, 256, 3))
    discriminator.count_params()  # 2764737
    ```
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
        image_shape = check_image_shape(image_shape)
        if num_layers < 1:
            raise ValueError(f"`num_layers` must be at least 1. Received num_layers={num_layers}.")
        smallest = _smallest_input(num_layers)
        if min(size or smallest for size in image_shape[:2]) < smallest:
            raise ValueError(
                f"A PatchGAN of {num_layers} layers needs images of at least {smallest}×{smallest} "
                f"pixels. Received image_shape={image_shape}. Use fewer layers."
            )

        def convolve(x, count, strides, name):
            if not spectral_norm:
                return conv(count, 4, strides, name, dtype)(x)
            inner = conv(count, 4, strides, f"{name}_inner", dtype)
            return SpectralNormalization(inner, name=name, dtype=dtype)(x)

        images = keras.Input((None, None, image_shape[2]), name="images")
        x = images
        for i in range(num_layers + 1):
            width = filters * min(2**i, 8)
            x = layers.ZeroPadding2D(1, name=f"pad{i + 1}", dtype=dtype)(x)
            strides = 2 if i < num_layers else 1
            x = convolve(x, width, strides, f"conv{i + 1}")
            if i:
                x = instance_norm(affine_norm, f"norm{i + 1}", dtype)(x)
            x = layers.LeakyReLU(0.2, name=f"relu{i + 1}", dtype=dtype)(x)
        x = layers.ZeroPadding2D(1, name="logits_pad", dtype=dtype)(x)
        x = convolve(x, 1, 1, "logits_conv")
        x = float32_activation("linear", "logits")(x)
        super().__init__(
            images,
            x,
            dtype,
            name,
            image_shape=image_shape,
            filters=filters,
            num_layers=num_layers,
            affine_norm=affine_norm,
            spectral_norm=spectral_norm,
        )

    @staticmethod
    def torch_layout(shapes):
        """Say what the authors' tensors make, `model.0.weight` and so on: `checkpoints.py`."""
        if "model.0.weight" not in shapes:
            return None
        filters, channels = shapes.kernel("model.0.weight")[:2]
        last = shapes.last(r"model\.(\d{1,9})\.weight$")  # the logits' 3 * num_layers + 2
        num_layers = max(1, (last - 2) // 3)
        check_counts("PatchDiscriminator", {"num_layers": num_layers})
        arguments = {
            "image_shape": (None, None, channels),
            "filters": filters,
            "num_layers": num_layers,
        }
        modules = {"model.0": "conv1", f"model.{3 * num_layers + 2}": "logits_conv"}
        for i in range(1, num_layers + 1):
            modules |= {f"model.{3 * i - 1}": f"conv{i + 1}", f"model.{3 * i}": f"norm{i + 1}"}
        return arguments, modules


def _smallest_input(num_layers):
    """Return the smallest side of an image that gives a logit."""
    size = 1
    for strides in [1, 1] + [2] * num_layers:
        size = (size - 1) * strides + 4 - 2
    return size


@keras.saving.register_keras_serializable("keras_cyclegan")
class PixelDiscriminator(ImageNetwork):
    """Judges each pixel by its own colour alone.

    The 1×1 PatchGAN of Isola et al. 2017, section 3.2.2, the authors' `pixel`: it asks for the
    right colours and not for sharpness.

    Args:
        image_shape: `(height, width, channels)` of the input, (256, 256, 3) by default. Only the
            channels are fixed.
        filters: int, 64 by default. Width of the first layer; the second is twice as wide.
        affine_norm: bool, False by default. Whether the instance norm learns a scale and an offset.
        dtype: dtype or policy of every layer, the global one by default; the logits are float32
            under each.

    Call arguments:
        images: `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        Logits `(batch, height, width, 1)`, float32.

    Raises:
        ValueError: `image_shape` isn't `(height, width, channels)`.

    Example:

    ```python
    discriminator = PixelDiscriminator((32, 32, 3), filters=8)
    discriminator(images).shape  # (1, 32, 32, 1)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        filters: int = 64,
        affine_norm: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        images = keras.Input((None, None, image_shape[2]), name="images")
        x = conv(filters, 1, name="conv1", dtype=dtype)(images)
        x = layers.LeakyReLU(0.2, name="relu1", dtype=dtype)(x)
        x = conv(2 * filters, 1, name="conv2", dtype=dtype)(x)
        x = instance_norm(affine_norm, "norm2", dtype)(x)
        x = layers.LeakyReLU(0.2, name="relu2", dtype=dtype)(x)
        x = conv(1, 1, name="logits_conv", dtype=dtype)(x)
        x = float32_activation("linear", "logits")(x)
        super().__init__(
            images,
            x,
            dtype,
            name,
            image_shape=image_shape,
            filters=filters,
            affine_norm=affine_norm,
        )

    @staticmethod
    def torch_layout(shapes):
        """Say what the authors' tensors make, `net.0.weight` and so on: `checkpoints.py`."""
        if not shapes.matches(r"net\.\d+\."):
            return None
        filters, channels = shapes.kernel("net.0.weight")[:2]
        modules = {"net.0": "conv1", "net.2": "conv2", "net.3": "norm2", "net.5": "logits_conv"}
        return {"image_shape": (None, None, channels), "filters": filters}, modules
