"""What all networks are made of: a base that is saved as its arguments, and the authors' layers."""

import contextvars
import dataclasses
import inspect
from typing import Any

import keras
from keras import layers

from keras_cyclegan.arguments import check_image_shape, check_multiple
from keras_cyclegan.layers import InputSkip, ReflectionPadding2D, SpectralNormalization
from keras_cyclegan.layers.convolution import Conv2D
from keras_cyclegan.layers.normalization import GroupNormalization, InstanceNormalization

# Whether a file has the weights, so that none need be drawn: JAX compiles that for each shape.
weights_follow = contextvars.ContextVar("weights_follow", default=False)


def image_input(image_shape):
    """Check `image_shape`; return it as a tuple, and a symbolic input that fixes the channels."""
    image_shape = check_image_shape(image_shape)
    return image_shape, keras.Input((None, None, image_shape[2]), name="images")


class ImageNetwork(keras.Model):
    """A functional model of images, whose config holds the subclass's arguments.

    `names` are the `locals()` of the subclass's `__init__`, whose arguments become attributes and
    config. The network takes heights and widths that are multiples of `multiple`.
    """

    def __init__(self, images, outputs, names, multiple=1):
        made = names["__class__"]  # it is there because of `super()`: whose arguments these are
        parameters = inspect.signature(made.__init__).parameters
        check_multiple(*names["image_shape"][:2], multiple, f"This {made.__name__}")
        super().__init__(images, outputs, name=names["name"])
        self.dtype_policy = keras.dtype_policies.get(names["dtype"] or keras.config.dtype_policy())
        self.multiple = multiple
        self.arguments = tuple(name for name in parameters if name not in ("self", "dtype", "name"))
        for argument in self.arguments:
            setattr(self, argument, names[argument])

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


def normal_initializer(stddev=0.02):
    """Make N(0, 0.02) anew for each layer: sharing one gives layers of one shape equal weights."""
    return "zeros" if weights_follow.get() else keras.initializers.RandomNormal(stddev=stddev)


@dataclasses.dataclass
class Blocks:
    """Adds layers to a functional model, with the settings that a network's layers share."""

    dtype: Any
    mode: str = "zeros"  # or "reflect": how `pad` pads
    affine_norm: bool = False  # whether instance norms learn a scale and an offset
    stddev: float = 0.02  # of a kernel's initial values
    use_bias: bool = True
    spectral_norm: bool = False
    inner = "inner"  # what follows in the name of a layer under spectral norm

    def pad(self, x, amount, name, mode=None):
        reflects = (mode or self.mode) == "reflect"
        layer = ReflectionPadding2D if reflects else layers.ZeroPadding2D
        return layer(amount, name=name, dtype=self.dtype)(x)

    def conv(self, x, filters, kernel_size, strides=1, name=None, stddev=None, **options):
        """Convolve without padding; with a `mode` of `Conv2D`, double first."""
        layer = Conv2D(
            filters,
            kernel_size,
            strides=strides,
            kernel_initializer=normal_initializer(stddev or self.stddev),
            name=f"{name}_{self.inner}" if self.spectral_norm else name,
            dtype=self.dtype,
            **{"use_bias": self.use_bias, **options},
        )
        if self.spectral_norm:
            layer = SpectralNormalization(layer, name=name, dtype=self.dtype)
        return layer(x)

    def transposed(self, x, filters, kernel_size, name, **options):
        """Double by a transposed convolution."""
        options |= {"kernel_initializer": normal_initializer(self.stddev), "dtype": self.dtype}
        return layers.Conv2DTranspose(filters, kernel_size, 2, name=name, **options)(x)

    def norm(self, x, name):
        layer = GroupNormalization if self.affine_norm else InstanceNormalization
        return layer(name=name, dtype=self.dtype)(x)

    def relu(self, x, name):
        return layers.ReLU(name=name, dtype=self.dtype)(x)

    def leaky_relu(self, x, name):
        return layers.LeakyReLU(0.2, name=name, dtype=self.dtype)(x)

    def norm_relu(self, x, name):
        return self.relu(self.norm(x, f"{name}_norm"), f"{name}_relu")

    def convolve(self, x, filters, kernel_size, name, strides=1, mode=None, **options):
        """Pad by half a kernel, and convolve."""
        x = self.pad(x, kernel_size // 2, f"{name}_pad", mode)
        return self.conv(x, filters, kernel_size, strides, f"{name}_conv", **options)

    def conv_norm_relu(self, x, filters, kernel_size, name, strides=1, mode=None):
        x = self.convolve(x, filters, kernel_size, name, strides, mode)
        return self.norm_relu(x, name)

    def add(self, x, y, name):
        return layers.Add(name=name, dtype=self.dtype)([x, y])

    def output(self, x, activation, name):
        """Add a last layer, in float32 under every policy: losses subtract its outputs."""
        return layers.Activation(activation, dtype="float32", name=name)(x)

    def translation(self, h, images=None, name="tanh"):
        """Return `tanh(h)`; with images to skip from, `tanh(h + artanh(0.98 · images))`."""
        if images is not None:
            h = InputSkip(name="input_skip", dtype="float32")([h, images])
        return self.output(h, "tanh", name)
