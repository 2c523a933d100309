"""Convolutions that compute what Keras's do, with less work, and the cropping beside them.

Files address a weight by the name of its layer's class. So that a network finds its weights with
these layers and with Keras's own, those that have weights bear the name of Keras's.
"""

import keras
import numpy as np
from keras import ops

from keras_cyclegan.arguments import check_choice
from keras_cyclegan.layers.fast_paths import takes_fast_path, unknown_sizes_are_even

LANES = 16  # float32 values that a processor with AVX-512 computes at once
# Which of a 3×3 kernel's rows meet in each row of a 4×4 kernel that reads pixels before doubling.
ROWS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], "float32")


@keras.saving.register_keras_serializable("keras_cyclegan", "NarrowConv2D")
class NarrowConv2D(keras.layers.Conv2D):
    """A convolution to few channels, as a generator's last one, four output pixels at a time.

    oneDNN computes 16 output channels at once, and throws 13 of them away where there are 3. Here
    the four pixels of a 2×2 square become channels of one convolution with stride 2, whose kernel
    is one pixel larger and holds the layer's own kernel four times, shifted. Gradients gain too.

    Args:
        filters, kernel_size, **kwargs: as in `keras.layers.Conv2D`, with strides of 1 and padding
            `"valid"`.

    Call arguments:
        images: `(batch, height, width, channels)`.
        training: bool.

    Returns:
        `(batch, height - kernel + 1, width - kernel + 1, filters)`. With `fast_paths(even=True)`,
        unknown sizes of the output must be even.
    """

    def call(self, images, training=False):
        if not (takes_fast_path(training) and self.fits(images)):
            return super().call(images)
        outputs = four_pixels_at_a_time(images, self.kernel)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def fits(self, images):
        """Return whether the processor computes four outputs at once, of an even-sized image."""
        even = [
            unknown_sizes_are_even() if side is None else (side - kernel) % 2 == 1
            for side, kernel in zip(images.shape[1:3], self.kernel_size, strict=True)
        ]
        return 4 * self.filters <= LANES and all(even)


def four_pixels_at_a_time(images, kernel):
    """Convolve with stride 1 and without padding, to an output of even height and width.

    Args:
        images: `(n, height, width, channels)`.
        kernel: `(rows, columns, channels, filters)`.

    Returns:
        `(n, height - rows + 1, width - columns + 1, filters)`.
    """
    shifted = [
        ops.pad(kernel, ((down, 1 - down), (across, 1 - across), (0, 0), (0, 0)))
        for down in range(2)
        for across in range(2)
    ]
    four = ops.concatenate(shifted, axis=3)
    squares = ops.conv(images, four, strides=2, padding="valid", data_format="channels_last")
    return ops.depth_to_space(squares, 2, data_format="channels_last")


@keras.saving.register_keras_serializable("keras_cyclegan", "DoublingConv2D")
class DoublingConv2D(keras.layers.Conv2D):
    """Nearest-neighbour doubling, padding by 1 and a 3×3 convolution in one (Odena et al. 2016).

    After doubling, neighbouring pixels are equal: an output depends on four different pixels, not
    on nine. The same comes from a transposed convolution of stride 2 before doubling, whose 4×4
    kernel holds sums of the 3×3 kernel's rows and columns. It takes 4/9 of the multiplications,
    and no memory for a doubled image of the input's channels.

    Args:
        filters: int. Channels of the output.
        mode: `"reflect"` or `"zeros"`, what surrounds the doubled image.
        **kwargs: further arguments of `keras.layers.Conv2D`.

    Call arguments:
        images: `(batch, height, width, channels)`; height and width may be unknown.
        training: bool.

    Returns:
        `(batch, 2 * height, 2 * width, filters)`.
    """

    def __init__(self, filters, mode="reflect", **kwargs):
        check_choice("mode", mode, ("reflect", "zeros"))
        super().__init__(filters, 3, padding="valid", **kwargs)
        self.mode = mode

    def call(self, images, training=False):
        if takes_fast_path(training):
            # A reflection of the doubled image equals a mirror with the edge before doubling.
            outputs = self.convolve_before_doubling(self.surround(images, "symmetric"))
            if self.use_bias:
                outputs = outputs + self.bias
            return outputs if self.activation is None else self.activation(outputs)
        return super().call(self.surround(self.double(images), "reflect"))

    def double(self, images):
        """Repeat each pixel twice in both directions.

        `ops.repeat` forgets the channels where a side is unknown, and LiteRT asks for them.
        """
        _, height, width, channels = ops.shape(images)
        rows = ops.reshape(ops.stack([images, images], axis=2), (-1, 2 * height, width, channels))
        both = ops.stack([rows, rows], axis=3)
        return ops.reshape(both, (-1, 2 * height, 2 * width, channels))

    def surround(self, images, mirror):
        sides = ((0, 0), (1, 1), (1, 1), (0, 0))
        return ops.pad(images, sides, mode="constant" if self.mode == "zeros" else mirror)

    def convolve_before_doubling(self, surrounded):
        rows = ops.cast(ROWS, self.compute_dtype)
        kernel = ops.einsum("ai,bj,ijco->aboc", rows, rows, self.kernel)
        doubled = ops.conv_transpose(
            surrounded, kernel, strides=2, padding="same", data_format="channels_last"
        )
        count, height, width = ops.shape(surrounded)[:3]
        shape = (count, 2 * height - 4, 2 * width - 4, self.filters)
        return ops.slice(doubled, (0, 2, 2, 0), shape)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return batch, height and 2 * height, width and 2 * width, self.filters

    def get_config(self):
        config = super().get_config()
        del config["kernel_size"], config["padding"]
        return {**config, "mode": self.mode}


NarrowConv2D.__name__ = DoublingConv2D.__name__ = "Conv2D"


@keras.saving.register_keras_serializable("keras_cyclegan")
class Cropping2D(keras.layers.Cropping2D):
    """`keras.layers.Cropping2D`, whose gradient is a padding with zeros.

    Keras crops by slices, whose gradient is many times slower on TensorFlow.

    Args:
        cropping: as in `keras.layers.Cropping2D`.

    Call arguments:
        images: `(batch, height, width, channels)`.
        training: bool.
    """

    def call(self, images, training=False):
        if not takes_fast_path(training):
            return super().call(images)
        count, height, width, channels = ops.shape(images)
        (top, bottom), (left, right) = self.cropping
        shape = (count, height - top - bottom, width - left - right, channels)
        return ops.slice(images, (0, top, left, 0), shape)
