"""Any height and width through a generator that takes only some."""

import weakref
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_cyclegan.layers import ReflectionPadding2D

_rules: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


class SizeRule(NamedTuple):
    """Heights and widths that a generator takes: multiples of `multiple`, from `smallest` on."""

    multiple: int
    smallest: int

    def padded(self, size):
        """The next size that fits; `size` is an int, or a scalar tensor inside a graph."""
        size = (size + self.multiple - 1) // self.multiple * self.multiple
        if isinstance(size, int):
            return max(size, self.smallest)
        return ops.maximum(size, self.smallest)


def size_rule(generator):
    """Asks a generator which sizes it gives back unchanged, by shapes alone: nothing is computed.

    Args:
        generator: any `keras.Model` from images to images.

    Returns:
        A `SizeRule`: (4, 8) for a ResNet, because a reflection by 1 of a quarter of the size needs
        2 pixels there; (2ⁿ, 2ⁿ) for a U-Net of n halvings.

    Raises:
        ValueError: no multiple up to 4096 comes out as large as it went in.
    """
    if generator not in _rules:
        _rules[generator] = _find_rule(generator)
    return _rules[generator]


def call_at_any_size(generator, images):
    """Reflects images out to a size that fits, translates them, and crops back.

    All of the padding lies below and on the right, so that a pixel keeps its place in the
    network's grid of strides. An image smaller than what is added to it is reflected repeatedly.

    Args:
        generator: `keras.Model`.
        images: tensor `(batch, height, width, channels)`, in [-1, 1]; inside a TensorFlow graph
            all but the channels may be unknown.

    Returns:
        Tensor `(batch, height, width, output_channels)`, in [-1, 1].
    """
    height, width = ops.shape(images)[1:3]
    padded = pad_to_rule(images, size_rule(generator))
    return generator(padded, training=False)[:, :height, :width]


def pad_to_rule(images, rule):
    """`(n, h, w, c)` to the next height and width that fit `rule`, mirrored at the far edges."""
    height, width = ops.shape(images)[1:3]
    images = ops.take(images, _mirror(height, rule.padded(height)), axis=1)
    return ops.take(images, _mirror(width, rule.padded(width)), axis=2)


def _mirror(size, count):
    """Indices 0, 1, …, size - 1, size - 2, …, 1, 0, 1, … : `count` of them."""
    period = ops.maximum(2 * size - 2, 1)
    position = ops.arange(count, dtype="int32") % period
    return ops.minimum(position, period - position)


def _find_rule(generator):
    height, width, channels = generator.input_shape[1:]
    if height and width:
        return SizeRule(1, 1)  # `check_size` lets nothing else through
    multiple = 1
    # Eleven times: no larger power of two divides it, and hardly a stride is 11.
    while not _returns_size(generator, 11 * multiple, channels):
        multiple *= 2
        if multiple > 4096:
            raise ValueError(
                f"The generator {generator.name!r} gives no image back in its own size: tried "
                "heights and widths of 11, 22, 44, …, 45056. `translate` needs one that does."
            )
    smallest = multiple
    while not _reflections_fit(generator, smallest, channels):
        smallest += multiple
    return SizeRule(multiple, smallest)


def _returns_size(generator, size, channels):
    """Whether `size` comes out as it went in, and branches meet in one size on the way."""
    try:
        shape = generator.compute_output_shape((1, size, size, channels))
        # Keras infers a concatenation's shape from its first input, and looks at no other.
        joined = _inner_shapes(generator, keras.layers.Concatenate, size, channels)
    except ValueError:  # other branches that don't meet, or the network's own check
        return False
    return tuple(shape[1:3]) == (size, size) and all(
        len({shape[1:3] for shape in shapes}) == 1 for _, shapes in joined
    )


def _reflections_fit(generator, size, channels):
    """Whether every reflection inside the network has enough pixels to mirror."""
    reflections = _inner_shapes(generator, ReflectionPadding2D, size, channels)
    return all(shapes[0][1] > layer.padding for layer, shapes in reflections)


def _inner_shapes(generator, kind, size, channels):
    """Layers of a kind inside a functional generator, each with the shapes of its inputs."""
    layers = [
        layer for layer in generator.layers if isinstance(layer, kind) and _is_called_once(layer)
    ]
    if not layers or not getattr(generator, "inputs", None):
        return []
    images = keras.KerasTensor((1, size, size, channels))
    inner = keras.Function(generator.input, [layer.input for layer in layers])
    found = inner.compute_output_spec(images)
    return [
        (layer, [tuple(tensor.shape) for tensor in keras.tree.flatten(tensors)])
        for layer, tensors in zip(layers, found, strict=True)
    ]


def _is_called_once(layer):
    try:
        return layer.input is not None
    except (AttributeError, ValueError):  # a layer called twice has no one input
        return False


def check_size(generator, height, width):
    """Refuses an image that a generator built for one size can't take."""
    fixed = generator.input_shape[1:3]
    if None not in fixed and tuple(fixed) != (height, width):
        raise ValueError(
            f"The generator {generator.name!r} was built for images of {fixed[0]}×{fixed[1]} only. "
            f"Received one of {height}×{width}. Build it on `keras.Input((None, None, channels))` "
            "to translate every size."
        )
