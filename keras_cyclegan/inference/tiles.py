"""A large image in pieces, with the result of the whole."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from keras_cyclegan.data import to_unit
from keras_cyclegan.inference.sizes import size_rule
from keras_cyclegan.layers import ReflectionPadding2D

POINTWISE = (
    layers.InputLayer,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.Dropout,
    layers.BatchNormalization,
    layers.Add,
    layers.Concatenate,
    layers.Cropping2D,
    layers.ZeroPadding2D,
    ReflectionPadding2D,
)
WINDOWS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def translate_tiled(generator, pixels, tile, finish):
    """Translates one large image tile by tile, in memory that doesn't grow with the image.

    An instance norm takes its mean and variance from all of its input, so that tiles translated by
    themselves would differ in colour and contrast. Here each norm gets the statistics of the whole
    image: one pass over all tiles for each norm, up to that norm, with the norms before it fixed;
    then one pass that translates. Every tile brings a margin as wide as the network can see, so
    that what is kept of it is what the whole image would have given: there is no seam to blend.

    Exactness costs passes: the paper's ResNet has 23 norms, and takes about 12 times the work of
    one translation, plus the margins.

    Args:
        generator: functional `keras.Model` of convolutions, activations and instance norms.
        pixels: `(height, width, channels)`, uint8, or float32 in [-1, 1].
        tile: int. Side of a tile without its margin, a multiple of what the generator takes.
        finish: function applied to the translation of each tile, in [-1, 1]: `from_unit`, which
            keeps the result at one byte a value, or the identity.

    Returns:
        `(height, width, output_channels)`, of the dtype that `finish` returns.

    Raises:
        ValueError: `tile` doesn't fit, or the generator has a layer that can't be tiled.
    """
    rule = size_rule(generator)
    if tile < rule.smallest or tile % rule.multiple:
        raise ValueError(
            f"`tile` must be a multiple of {rule.multiple}, at least {rule.smallest}, for the "
            f"generator {generator.name!r}. Received tile={tile}."
        )
    height, width = pixels.shape[:2]
    rows = _mirrored(height, rule.padded(height))
    columns = _mirrored(width, rule.padded(width))
    margin = -(-sight(generator) // rule.multiple) * rule.multiple
    tiles = [
        (down, across)
        for down in _spans(len(rows), tile, margin)
        for across in _spans(len(columns), tile, margin)
    ]

    statistics = {}

    def features(down, across, last):
        """What layer `last` gets (or gives, if it is the output) for a tile and its margin."""
        window = np.ix_(rows[down.outer], columns[across.outer])
        images = pixels[window]
        images = to_unit(images) if images.dtype == np.uint8 else images
        kept = _run(generator, ops.convert_to_tensor(images[None]), statistics, last)
        return ops.convert_to_numpy(kept)[0][down.inner(kept.shape[1]), across.inner(kept.shape[2])]

    for norm in (layer for layer in generator.operations if _is_instance_norm(layer)):
        moments = _Moments()
        for down, across in tiles:
            moments.add(features(down, across, norm))
        statistics[norm] = moments.mean, moments.variance

    translation = None
    for down, across in tiles:
        part = finish(features(down, across, None))
        if translation is None:
            translation = np.empty((len(rows), len(columns), part.shape[2]), part.dtype)
        translation[down.kept, across.kept] = part
    return translation[:height, :width]


def sight(generator):
    """How many pixels to each side an output pixel depends on, rounded up, norms left aside.

    Raises:
        ValueError: a layer that mixes more of the image than a window of known size.
    """
    seen = {id(generator.input): (0, 1.0)}  # (pixels to each side, pixels a step) of each tensor
    for layer in generator.operations[1:]:
        given = [seen[id(tensor)] for tensor in keras.tree.flatten(layer.input)]
        reach, step = max(reach for reach, _ in given), given[0][1]
        if isinstance(layer, layers.Conv2DTranspose):
            reach += step * -(-layer.kernel_size[0] // layer.strides[0])
            step /= layer.strides[0]
        elif isinstance(layer, WINDOWS):
            reach += step * ((layer.kernel_size[0] - 1) * layer.dilation_rate[0] // 2 + 1)
            step *= layer.strides[0]
        elif isinstance(layer, layers.UpSampling2D):
            reach += step
            step /= layer.size[0]
        elif not (isinstance(layer, POINTWISE) or _is_instance_norm(layer)):
            raise ValueError(
                f"The generator {generator.name!r} can't be tiled: its layer {layer.name!r} "
                f"({type(layer).__name__}) may look at the whole image. Translate without `tile`."
            )
        seen[id(layer.output)] = reach, step
    return int(np.ceil(seen[id(generator.output)][0]))


class _Span(NamedTuple):
    """One tile along one axis: what is kept of it, within what the network gets to see."""

    kept: slice
    outer: slice

    def inner(self, size):
        """The kept part of a feature map of `size`, whose steps may be several pixels long."""
        step = (self.outer.stop - self.outer.start) // size
        first = (self.kept.start - self.outer.start) // step
        return slice(first, first + (self.kept.stop - self.kept.start) // step)


def _spans(size, tile, margin):
    for start in range(0, size, tile):
        stop = min(start + tile, size)
        yield _Span(slice(start, stop), slice(max(0, start - margin), min(size, stop + margin)))


class _Moments:
    """Mean and variance by channel of more values than fit the memory (Chan et al. 1979)."""

    def __init__(self):
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values):
        values = values.reshape(-1, values.shape[-1])
        mean = values.mean(axis=0, dtype="float64")
        squares = values.var(axis=0, dtype="float64") * len(values)
        shift, count = mean - self.mean, self.count + len(values)
        self.squares = self.squares + squares + shift**2 * self.count * len(values) / count
        self.mean = self.mean + shift * len(values) / count
        self.count = count

    @property
    def variance(self):
        return self.squares / self.count


def _run(generator, images, statistics, last):
    """The generator layer by layer, its norms fixed; ends at the input of `last`.

    Layers are called one by one because Keras has no way to replace one inside a call.
    """
    values = {id(generator.input): images}
    uses = _uses(generator)
    for layer in generator.operations[1:]:
        given = keras.tree.map_structure(lambda tensor: values[id(tensor)], layer.input)
        if layer is last:
            return given
        for tensor in keras.tree.flatten(layer.input):
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                del values[id(tensor)]
        if layer in statistics:
            values[id(layer.output)] = _normalize(layer, given, *statistics[layer])
        elif isinstance(layer, (layers.Dropout, layers.BatchNormalization)):
            values[id(layer.output)] = layer(given, training=False)
        else:
            values[id(layer.output)] = layer(given)
    return values[id(generator.output)]


def _uses(generator):
    """How often each tensor is read, so that it is let go after the last time."""
    uses = {id(generator.output): 1}
    for layer in generator.operations[1:]:
        for tensor in keras.tree.flatten(layer.input):
            uses[id(tensor)] = uses.get(id(tensor), 0) + 1
    return uses


def _normalize(norm, x, mean, variance):
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * ops.convert_to_numpy(norm.gamma)
    offset = -mean * scale
    if norm.beta is not None:
        offset = offset + ops.convert_to_numpy(norm.beta)
    x = ops.cast(x, "float32") * scale.astype("float32") + offset.astype("float32")
    return ops.cast(x, norm.compute_dtype)


def _is_instance_norm(layer):
    """One group a channel; Keras replaces `groups=-1` by the channels when it builds the layer."""
    return isinstance(layer, layers.GroupNormalization) and layer.groups == layer.output.shape[-1]


def _mirrored(size, count):
    return np.pad(np.arange(size), (0, count - size), mode="reflect")
