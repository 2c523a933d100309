"""Checks of arguments that subpackages share: choices, directions, layouts, shapes, multiples."""

import enum
import importlib
import inspect
import numbers
import os
from typing import Any, TypeAlias

# A tensor of whatever backend runs; Keras has no type for it.
Tensor: TypeAlias = Any
PathLike: TypeAlias = str | os.PathLike[str]
# How training images may be mirrored and turned; `data.draws` has what each draws.
FLIPS = ("none", "horizontal", "vertical", "both", "rot90")


class Direction(enum.StrEnum):
    """The direction of a translation, equal to its string: `"a_to_b"` or `"b_to_a"`.

    `source` and `target` are domains, `"a"` or `"b"`; `suffix` is `"ab"` or `"ba"`, as in
    `generator_ab`; `arrow` is `"A → B"` or `"B → A"`, for people; `opposite` the other direction.
    """

    A_TO_B = "a_to_b"
    B_TO_A = "b_to_a"

    @property
    def source(self):
        return self.value[0]

    @property
    def target(self):
        return self.value[-1]

    @property
    def suffix(self):
        return self.source + self.target

    @property
    def arrow(self):
        return f"{self.source.upper()} → {self.target.upper()}"

    @property
    def opposite(self):
        return Direction.B_TO_A if self is Direction.A_TO_B else Direction.A_TO_B


def check_direction(direction):
    """Return `direction`, a string, as a `Direction`; raise a ValueError for an unknown one."""
    check_choice("direction", direction, [*map(str, Direction)])
    return Direction(direction)


def check_choice(argument, value, choices):
    """Raise a ValueError if the value of `argument` is none of `choices`."""
    if value not in choices:
        expected = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{argument}` must be one of {expected}. Received {argument}={value!r}.")


def to_install(extra):
    """Say how to install an extra of this package, from an index and in a clone, for a message."""
    return f"`pip install 'keras-cyclegan[{extra}]'`, in a clone `pip install '.[{extra}]'`"


def needs(package, what, extra="science"):
    """Import an optional library, or say what needs it and how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{what} needs {package}: {to_install(extra)}.") from error


def check_image_layout():
    """Raise a ValueError if Keras's image layout is `(channels, height, width)`."""
    import keras  # imported here, so that help on the command line needn't wait for it

    layout = keras.config.image_data_format()
    if layout != "channels_last":
        raise ValueError(
            "The networks of keras_cyclegan take images as (height, width, channels), whereas "
            f"Keras's image_data_format is {layout!r}. Call `keras.config.set_image_data_format("
            "'channels_last')` first, or set it in `keras.json`."
        )


def check_image_shape(image_shape):
    """Return `image_shape` as a tuple `(height, width, channels)`; height and width may be None."""
    check_image_layout()
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    known = shape[2:] + tuple(size for size in shape[:2] if size is not None)
    counts = [size for size in known if isinstance(size, numbers.Integral) and size > 0]
    if len(shape) != 3 or len(counts) != len(known):
        raise ValueError(
            "`image_shape` must be (height, width, channels), where height and width may be None. "
            f"Received image_shape={image_shape!r}."
        )
    return shape


def check_multiple(height, width, multiple, network):
    """Raise a ValueError for a size that `network` can't give back unchanged; None is allowed."""
    if (height or 0) % multiple or (width or 0) % multiple:
        raise ValueError(
            f"{network} halves its input {multiple.bit_length() - 1} times: height and width must "
            f"be multiples of {multiple}. Received {height}×{width}. "
            "`CycleGAN.translate` pads and crops for you."
        )


def check_weight(argument, value):
    """Raise a ValueError for a negative number, NaN, or what is no number."""
    if not isinstance(value, numbers.Real) or not value >= 0:
        raise ValueError(
            f"`{argument}` must be a number of at least 0. Received {argument}={value!r}."
        )


def own_config(made):
    """Return the arguments that an object's class names, its attributes of the same names."""
    parameters = inspect.signature(type(made)).parameters.values()
    names = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    return {name: getattr(made, name) for name in names}


class Configured:
    """An object of Keras whose config holds its arguments, attributes of the same names."""

    def get_config(self) -> dict[str, Any]:
        # What Keras has of its own, such as `name` and `dtype`, stays as Keras gives it.
        return own_config(self) | super().get_config()  # type: ignore[misc]  # of a layer or a loss
