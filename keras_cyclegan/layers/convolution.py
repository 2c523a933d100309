"""Keras's convolution, which may double its images first, and Keras's cropping.

Files address a weight by the name of its layer's class. So that a network finds its weights with
these layers and with Keras's own, they bear Keras's names.
"""

import keras
from keras import ops

from keras_cyclegan.arguments import check_choice
from keras_cyclegan.layers import cpu
from keras_cyclegan.processor import has_accelerator


@keras.saving.register_keras_serializable("keras_cyclegan")
class Conv2D(keras.layers.Conv2D):
    """A convolution without padding, or nearest-neighbour doubling before one (Odena et al. 2016).

    Args:
        filters: int. Channels of the output.
        kernel_size: 3 by default; as in `keras.layers.Conv2D`.
        mode: None, the default, `"reflect"` or `"zeros"`: images are doubled, and surrounded by one
            pixel of these, before the convolution.
        **kwargs: further arguments of `keras.layers.Conv2D`.

    Call arguments:
        images: `(batch, height, width, channels)`; height and width may be unknown.
        training: bool.

    Returns:
        `(batch, height - kernel + 1, width - kernel + 1, filters)`; with a `mode`, for 3×3,
        `(batch, 2 * height, 2 * width, filters)`.
    """

    def __init__(self, filters, kernel_size=3, mode=None, **kwargs):
        check_choice("mode", mode, (None, "reflect", "zeros"))
        super().__init__(filters, kernel_size, **kwargs)
        self.mode = mode

    def call(self, images, training=False):
        fast = cpu.takes_fast_path(training)
        if fast and self.mode is not None and self.kernel_size == (3, 3):
            return self.finish(cpu.double_and_convolve(images, self.kernel, self.mode))
        if fast and self.mode is None and cpu.is_narrow(self, images):
            return self.finish(cpu.convolve_four_pixels_at_a_time(images, self.kernel))
        if self.mode is not None:
            mode = "constant" if self.mode == "zeros" else "reflect"
            images = ops.pad(double(images), ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
        return super().call(images)

    def finish(self, outputs):
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        if self.mode is not None:
            batch, height, width, channels = input_shape
            input_shape = batch, height and 2 * height + 2, width and 2 * width + 2, channels
        return super().compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


# Names of this class in files of earlier versions.
for _name in ("NarrowConv2D", "DoublingConv2D"):
    keras.saving.get_custom_objects()[f"keras_cyclegan>{_name}"] = Conv2D


def double(images):
    """Repeat each pixel twice in both directions.

    `ops.repeat` forgets the channels where a side is unknown, and LiteRT asks for them.
    """
    _, height, width, channels = ops.shape(images)
    rows = ops.reshape(ops.stack([images, images], axis=2), (-1, 2 * height, width, channels))
    both = ops.stack([rows, rows], axis=3)
    return ops.reshape(both, (-1, 2 * height, 2 * width, channels))


@keras.saving.register_keras_serializable("keras_cyclegan")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`; on a GPU under JAX a sum of shifted products.

    XLA fuses these. cuDNN's depthwise gradients, which it takes else, are forty times slower: a
    step of `FeatureGenerator`s with projected discriminators took more than a second on an H200.

    Args:
        *args, **kwargs: as in `keras.layers.DepthwiseConv2D`; with padding `"same"`, one stride,
            and one output for each channel.

    Call arguments:
        images: `(batch, height, width, channels)`.
    """

    def call(self, images):
        if keras.backend.backend() != "jax" or not has_accelerator():
            return super().call(images)
        return self.shifted_products(images)

    def shifted_products(self, images):
        stride, size = self.strides[0], images.shape[1:3]
        rows, columns = (-(-side // stride) for side in size)
        lacking = [
            max(0, (count - 1) * stride + taps - side)
            for count, taps, side in zip((rows, columns), self.kernel_size, size, strict=True)
        ]
        around = [(0, 0), *((each // 2, each - each // 2) for each in lacking), (0, 0)]
        images = ops.pad(images, around)
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

    Args:
        cropping: as in `keras.layers.Cropping2D`.

    Call arguments:
        images: `(batch, height, width, channels)`.
    """

    def call(self, images):
        count, height, width, channels = ops.shape(images)
        (top, bottom), (left, right) = self.cropping
        shape = (count, height - top - bottom, width - left - right, channels)
        return ops.slice(images, (0, top, left, 0), shape)
