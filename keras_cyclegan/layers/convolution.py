"""Convolutions, and what surrounds them: doubling, padding, cropping.

Files address a weight by the name of its layer's class. So that a network finds its weights with
these layers and with Keras's own, they bear Keras's names.
"""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Configured, Tensor
from keras_cyclegan.layers import cpu
from keras_cyclegan.processor import has_accelerator


@keras.saving.register_keras_serializable("keras_cyclegan")
class Conv2D(Configured, keras.layers.Conv2D):
    """`keras.layers.Conv2D`, or nearest-neighbour doubling before one (Odena et al. 2016).

    With `mode`, `"reflect"` or `"zeros"`, images are doubled, and surrounded by one pixel of these,
    before the convolution.
    """

    def __init__(self, filters, kernel_size=3, mode=None, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.mode = mode

    def call(self, images, training=False):
        fast = cpu.takes_fast_path(training)
        if fast and self.mode is not None and self.kernel_size == (3, 3):
            outputs = cpu.double_and_convolve(images, self.kernel, self.mode)
        elif fast and self.mode is None and cpu.is_narrow(self, images):
            outputs = cpu.convolve_four_pixels_at_a_time(images, self.kernel)
        else:
            if self.mode is not None:
                mode = "constant" if self.mode == "zeros" else "reflect"
                images = ops.pad(double(images), ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
            return super().call(images)
        return self.activation(outputs + self.bias if self.use_bias else outputs)

    def compute_output_shape(self, input_shape):
        if self.mode is not None:
            batch, height, width, channels = input_shape
            input_shape = batch, height and 2 * height + 2, width and 2 * width + 2, channels
        return super().compute_output_shape(input_shape)


def double(images):
    """Repeat each pixel twice in both directions."""
    # `ops.repeat` forgets the channels where a side is unknown, and LiteRT asks for them.
    _, height, width, channels = ops.shape(images)
    rows = ops.reshape(ops.stack([images, images], axis=2), (-1, 2 * height, width, channels))
    both = ops.stack([rows, rows], axis=3)
    return ops.reshape(both, (-1, 2 * height, 2 * width, channels))


@keras.saving.register_keras_serializable("keras_cyclegan")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`; on a GPU under JAX a sum of shifted products.

    XLA fuses these; cuDNN's depthwise gradients are forty times slower. With padding `"same"`, one
    stride, and one output for each channel.
    """

    def call(self, images):
        if keras.backend.backend() != "jax" or not has_accelerator():
            return super().call(images)
        return self.shifted_products(images)

    def shifted_products(self, images):
        stride, counts, around = self.strides[0], [], [(0, 0)]
        for side, taps in zip(images.shape[1:3], self.kernel_size, strict=True):
            counts.append(-(-side // stride))
            lacking = max(0, (counts[-1] - 1) * stride + taps - side)
            around.append((lacking // 2, lacking - lacking // 2))
        rows, columns = counts
        images = ops.pad(images, [*around, (0, 0)])
        outputs = ops.cast(self.bias, images.dtype)
        for i in range(self.kernel_size[0]):
            for j in range(self.kernel_size[1]):
                seen = images[:, i::stride, j::stride][:, :rows, :columns]
                outputs = outputs + seen * ops.cast(self.kernel[i, j, :, 0], images.dtype)
        return outputs


@keras.saving.register_keras_serializable("keras_cyclegan")
class Cropping2D(keras.layers.Cropping2D):
    """`keras.layers.Cropping2D`, whose gradient is a padding with zeros.

    Keras crops by Python's slices, whose gradient is many times slower on TensorFlow.
    """

    def call(self, images):
        count, height, width, channels = ops.shape(images)
        (top, bottom), (left, right) = self.cropping
        shape = (count, height - top - bottom, width - left - right, channels)
        return ops.slice(images, (0, top, left, 0), shape)


@keras.saving.register_keras_serializable("keras_cyclegan")
class ReflectionPadding2D(Configured, keras.layers.Layer):
    """Surrounds images with their own mirror image, the edge pixel not repeated.

    Equals `torch.nn.ReflectionPad2d`. It keeps the borders of a translation free of the frame that
    zeros would draw.

    Args:
        padding: int. Pixels added on each side, fewer than the image has.
    """

    def __init__(self, padding: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, images: Tensor) -> Tensor:
        if not self.padding:
            return images  # torch refuses to pad by nothing
        side = (self.padding, self.padding)
        return ops.pad(images, ((0, 0), side, side, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return batch, height and height + grow, width and width + grow, channels
