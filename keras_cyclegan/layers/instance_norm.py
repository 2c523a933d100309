"""Instance norm, which in Keras is a group norm with one channel in each group."""

from typing import Any

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.layers.fast_paths import pays

MOST_IMAGES = 8  # that are normalised one after the other


@keras.saving.register_keras_serializable("keras_cyclegan")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Takes its mean from each channel of each image, and divides by its standard deviation.

    Ulyanov et al. 2016, "Instance Normalization: The Missing Ingredient for Fast Stylization".
    Equals `torch.nn.InstanceNorm2d`: no scale or offset, no running statistics. In training on
    TensorFlow it is computed as a batch norm of each single image, by one fused operation and one
    for the gradient; a group norm reads the image many times. Statistics are float32 under every
    policy.

    Args:
        epsilon: float, 1e-5 by default. Added to variances.

    Call arguments:
        images: `(batch, height, width, channels)`.
        training: bool.

    Returns:
        The same shape.

    Example:

    ```python
    normalised = InstanceNormalization()(images)
    keras.ops.mean(normalised)  # about 0, and the standard deviation of each channel about 1
    ```
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(groups=-1, epsilon=epsilon, center=False, scale=False, **kwargs)

    def call(self, images: Tensor, training: bool | None = False) -> Tensor:
        if pays(training):
            count = images.shape[0]
            if count is not None and count <= MOST_IMAGES:
                return self.normalise_one_by_one(images, count)
        return super().call(images)

    def normalise_one_by_one(self, images, count):
        import tensorflow as tf

        channels, none = images.shape[-1], tf.zeros((0,))
        ones, zeros = tf.ones((channels,)), tf.zeros((channels,))
        normalised = [
            tf.raw_ops.FusedBatchNormV3(
                x=image,
                scale=ones,
                offset=zeros,
                mean=none,
                variance=none,
                epsilon=self.epsilon,
                is_training=True,
            ).y
            for image in (tf.split(images, count) if count > 1 else [images])
        ]
        return ops.concatenate(normalised) if count > 1 else normalised[0]

    def get_config(self) -> dict[str, Any]:
        return {**keras.layers.Layer.get_config(self), "epsilon": self.epsilon}
