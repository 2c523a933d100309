"""Which heights and widths a generator takes, and images padded to them."""

from typing import NamedTuple

import keras
from keras import ops

from keras_cyclegan.layers import ReflectionPadding2D


class SizeRule(NamedTuple):
    """Heights and widths that a generator takes: multiples of `multiple`, from `smallest` on."""

    multiple: int
    smallest: int

    def padded(self, size):
        """Return the next size that fits; `size` is an int, or a scalar tensor inside a graph."""
        size = (size + self.multiple - 1) // self.multiple * self.multiple
        return max(size, self.smallest) if isinstance(size, int) else ops.maximum(size, self[1])

    def pad(self, images):
        """Pad `(n, h, w, c)` below and on the right, so that a pixel keeps its place in strides.

        By reflection, repeatedly where an image is smaller than what is added to it.
        """
        height, width = ops.shape(images)[1:3]
        images = ops.take(images, _mirror(height, self.padded(height)), axis=1)
        return ops.take(images, _mirror(width, self.padded(width)), axis=2)


def _mirror(size, count):
    """Return `count` of the indices 0, 1, …, size - 1, size - 2, …, 1, 0, 1, …."""
    period = ops.maximum(2 * size - 2, 1)
    position = ops.arange(count, dtype="int32") % period
    return ops.minimum(position, period - position)


def find_rule(generator):
    """Find out which sizes a generator gives back unchanged, without computing an image.

    (4, 8) for a ResNet, whose maps at a quarter of the size need 2 pixels for a reflection by 1;
    (2ⁿ, 2ⁿ) for a U-Net of n halvings; (1, 1) if it was built for one size.
    """
    height, width, _ = generator.input_shape[1:]
    if height and width:
        return SizeRule(1, 1)
    multiple = 1
    # 11 is odd, so that no higher power of two divides the size, and hardly any stride is 11.
    while not _returns_size(generator, 11 * multiple):
        multiple *= 2
        if multiple > 4096:
            raise ValueError(
                "`translate` needs a generator that gives images back in their own size. "
                f"{generator.name!r} gives none of 11, 22, 44, … or 45056 pixels."
            )
    smallest = multiple
    while not _reflections_fit(generator, smallest):
        smallest += multiple
    return SizeRule(multiple, smallest)


def _returns_size(generator, size):
    try:
        shape = generator.compute_output_shape((1, size, size, generator.input_shape[-1]))
        # Keras infers a concatenation's shape from its first input, and looks at no other.
        joined = _input_shapes(generator, keras.layers.Concatenate, size)
    except ValueError:  # other branches of unequal sizes, or the network's own check
        return False
    unequal = any(len({shape[1:3] for shape in shapes}) > 1 for _, shapes in joined)
    return tuple(shape[1:3]) == (size, size) and not unequal


def _reflections_fit(generator, size):
    """Return whether every reflection inside the network has enough pixels to mirror."""
    reflections = _input_shapes(generator, ReflectionPadding2D, size)
    return all(shapes[0][1] > layer.padding for layer, shapes in reflections)


def _input_shapes(generator, kind, size):
    """Return the layers of a kind in a functional generator, with the shapes of their inputs."""
    found = [layer for layer in generator.layers if isinstance(layer, kind)]
    if not found or not getattr(generator, "inputs", None):
        return []
    images = keras.KerasTensor((1, size, size, generator.input_shape[-1]))
    inner = keras.Function(generator.input, [layer.input for layer in found])
    specs = inner.compute_output_spec(images)
    return [
        (layer, [tuple(tensor.shape) for tensor in keras.tree.flatten(tensors)])
        for layer, tensors in zip(found, specs, strict=True)
    ]
