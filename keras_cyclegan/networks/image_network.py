"""The base of all networks: functional models, saved as the arguments that made them."""

import keras

from keras_cyclegan.arguments import check_multiple


class ImageNetwork(keras.Model):
    """A functional model of images, whose config holds the subclass's arguments.

    Args:
        images: the symbolic input, `(None, None, None, channels)`.
        outputs: the symbolic output, or a list of them.
        dtype: dtype or policy of the layers.
        name: str.
        multiple: int. The network takes heights and widths that are multiples of it.
        **arguments: the other arguments of the subclass; they become attributes and the config.
    """

    def __init__(self, images, outputs, dtype=None, name=None, multiple=1, **arguments):
        super().__init__(images, outputs, name=name)
        self.dtype_policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        self.multiple = multiple
        self.arguments = tuple(arguments)
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def call(self, inputs, training=None, mask=None):
        check_multiple(*inputs.shape[1:3], self.multiple, f"This {type(self).__name__}")
        return super().call(inputs, training=training, mask=mask)

    def get_config(self):
        return {
            **{argument: getattr(self, argument) for argument in self.arguments},
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
