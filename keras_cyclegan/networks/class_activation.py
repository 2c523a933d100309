"""Class activation maps: features weighted by how much they tell about an image's class."""

import keras
from keras import layers, ops

from keras_cyclegan.networks.building_blocks import conv, float32_activation, normal_initializer


def attend(x, activation, spectral_norm, dtype, name=""):
    """Weight a feature map by class activation, and mix it to as many channels as before.

    Args:
        x: symbolic tensor `(batch, height, width, channels)`.
        activation: layer that is applied to the result.
        spectral_norm: bool; see `ClassActivation`.
        dtype: dtype or policy of the layers.
        name: str. Prefix of the layers' names, empty by default.

    Returns:
        The weighted features, of the shape of `x`; and the logits, `(batch, 2)`, float32.
    """
    weighted, logits = ClassActivation(spectral_norm, name=f"{name}activation", dtype=dtype)(x)
    logits = float32_activation("linear", f"{name}activation_logits")(logits)
    x = conv(x.shape[-1], 1, name=f"{name}attended_conv", dtype=dtype)(weighted)
    return activation(x), logits


@keras.saving.register_keras_serializable("keras_cyclegan")
class ClassActivation(layers.Layer):
    """Weights each channel by how much it tells about an image's class.

    Zhou et al. 2016, as used by Kim et al. 2020, section 2.1.1: one linear classifier sees the
    channels' means, one their maxima; the weights that they learn scale the channels.

    Args:
        spectral_norm: bool. Whether the classifiers' weights are divided by their norm, which is
            the spectral norm of a classifier with one output.

    Call arguments:
        x: `(batch, height, width, channels)`.

    Returns:
        The channels weighted by both classifiers, `(batch, height, width, 2 · channels)`; and the
        classifiers' logits, `(batch, 2)`.
    """

    def __init__(self, spectral_norm=False, **kwargs):
        super().__init__(**kwargs)
        self.spectral_norm = spectral_norm

    def build(self, input_shape):
        self.of_means, self.of_maxima = (
            self.add_weight(shape=(input_shape[-1],), initializer=normal_initializer(), name=name)
            for name in ("of_means", "of_maxima")
        )

    def call(self, x):
        weights = [ops.convert_to_tensor(self.of_means), ops.convert_to_tensor(self.of_maxima)]
        if self.spectral_norm:
            weights = [weight / (ops.norm(weight) + 1e-12) for weight in weights]
        weights = [ops.cast(weight, x.dtype) for weight in weights]
        pooled = ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))
        logits = [ops.sum(p * w, axis=-1) for p, w in zip(pooled, weights, strict=True)]
        weighted = ops.concatenate([x * weight for weight in weights], axis=-1)
        return weighted, ops.stack(logits, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1]), (input_shape[0], 2)

    def get_config(self):
        return {**super().get_config(), "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable("keras_cyclegan")
class Heatmap(layers.Layer):
    """Takes the mean over channels: high where the features are strong."""

    def call(self, x):
        return ops.mean(x, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
