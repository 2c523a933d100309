"""Frozen, pretrained networks as the first layers of a generator."""

import keras
from keras import ops

from keras_cyclegan.networks.efficientnet import add_lite, normalise

PREFIX = "encoder_"  # of the names of frozen layers


@keras.saving.register_keras_serializable("keras_cyclegan")
class EncoderInput(keras.layers.Layer):
    """Makes of images in [-1, 1], of any number of channels, what ImageNet's networks expect.

    Of more than three channels it takes the first three; one or two it repeats.

    Call arguments:
        images: `(batch, height, width, channels)`.

    Returns:
        `(batch, height, width, 3)`, float32.
    """

    pointwise = True  # for `inference.tile_plan`

    def call(self, images):
        channels = images.shape[-1]
        if channels != 3:
            images = ops.stack([images[..., i % channels] for i in range(3)], axis=-1)
        return normalise(images)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)


def add_encoder(images, encoder, dtype):
    """Add the layers of a frozen network; return its maps at strides 4, 8, 16 and 32."""
    x = EncoderInput(name="encoder_input", dtype="float32")(images)
    return add_lite(x, encoder, PREFIX, dtype)
