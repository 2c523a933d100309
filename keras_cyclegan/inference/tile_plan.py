"""Cuts a network at its instance norms into stages, for `tiles`."""

from typing import NamedTuple

import keras
from keras import layers

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


class Stage(NamedTuple):
    """Layers that process all tiles of the image before the next stage starts."""

    reads: list  # tensors known for the whole image: the input, or stored by an earlier stage
    layers: list  # in the order of their calls; the statistics for norms among them are known
    measures: list  # tensors whose mean and variance the norms of later stages need
    stores: list  # tensors that later stages read, or the network's output
    margin: int  # pixels around a tile that its computation needs
    frees: list  # tensors that no later stage reads


def plan(generator, rule):
    """Plan the stages that together give the same translation as one call of the generator.

    A norm needs the statistics of its whole input, so that a stage ends before each norm. Tensors
    that a later stage reads are stored. Those at full resolution take the most bytes and the least
    work: the next stage computes them again, where it can do so from stored tensors. (Otherwise
    every stage would have to start at the image.)

    Args:
        generator: functional `keras.Model` of convolutions, activations and instance norms.
        rule: `SizeRule` of the generator.

    Returns:
        The stages; and a dict from each tensor's `id` to the pixels of the image from one of its
        elements to the next: 4 at a quarter of the resolution.

    Raises:
        ValueError: a layer may look at more of the image than a window of known size, or a tensor
            to store doesn't have the image's size divided by its stride.
    """
    _check_layers(generator)
    steps, levels = {id(generator.input): 1.0}, {id(generator.input): 0}
    for layer in generator.operations[1:]:
        given = [id(tensor) for tensor in inputs_of(layer)]
        steps[id(layer.output)] = steps[given[0]] * _stride(layer)
        levels[id(layer.output)] = max(levels[key] for key in given) + is_instance_norm(layer)

    stages, known = [], {id(generator.input)}
    for level in range(levels[id(generator.output)] + 1):
        wanted, measures = _results(generator, levels, level)
        work, reads = _work(generator, wanted, known)
        from_stored = all(id(layer.input) in known for layer in work if is_instance_norm(layer))
        stores = [t for t in wanted if steps[id(t)] > 1 or t is generator.output or not from_stored]
        known.update(id(t) for t in stores)
        stages.append(Stage(reads, work, measures, stores, _margin(work, reads, steps), []))
    kept = [tensor for stage in stages for tensor in stage.stores + stage.measures]
    _check_grid(generator, kept, steps, 4 * rule.smallest)
    return _with_frees(stages), steps


def _check_layers(generator):
    """Refuse a network with a layer that may look beyond a tile, or that is called twice."""
    for layer in generator.operations:
        known = isinstance(layer, (*POINTWISE, *WINDOWS, layers.Conv2DTranspose))
        known = known or isinstance(layer, layers.UpSampling2D) or is_instance_norm(layer)
        if not known and not getattr(layer, "pointwise", False):  # set by layers of this package
            raise ValueError(
                f"The generator {generator.name!r} can't be tiled: its layer {layer.name!r} "
                f"({type(layer).__name__}) may look at the whole image. Translate without `tile`."
            )
    inputs = [tensor for layer in generator.operations[1:] for tensor in inputs_of(layer)]
    made = {id(layer.output) for layer in generator.operations}
    if not made.issuperset(id(tensor) for tensor in [*inputs, generator.output]):
        raise ValueError(
            f"The generator {generator.name!r} can't be tiled: it calls a layer twice, or one that "
            "another network called before. Translate without `tile`."
        )


def inputs_of(layer):
    """Return the input tensors of a layer as a list."""
    return keras.tree.flatten(layer.input)


def is_instance_norm(layer):
    """Return whether each channel is a group; Keras builds `groups=-1` as such."""
    return isinstance(layer, layers.GroupNormalization) and layer.groups == layer.output.shape[-1]


# --- what a stage computes ---------------------------------------------------------------------


def _results(generator, levels, level):
    """Return the tensors of a level that later levels read, or the output; and those for norms."""
    wanted, measures = {}, {}
    for layer in generator.operations[1:]:
        for tensor in inputs_of(layer):
            if levels[id(tensor)] == level < levels[id(layer.output)]:
                wanted[id(tensor)] = tensor
                if is_instance_norm(layer):
                    measures[id(tensor)] = tensor
    if levels[id(generator.output)] == level:
        wanted[id(generator.output)] = generator.output
    return list(wanted.values()), list(measures.values())


def _work(generator, wanted, known):
    """Return the layers that compute `wanted`, and the `known` tensors that they read."""
    open_ends, work, reads = {id(tensor) for tensor in wanted}, [], {}
    for layer in reversed(generator.operations):
        if id(layer.output) in open_ends - known:
            work.insert(0, layer)
            for tensor in inputs_of(layer):
                open_ends.add(id(tensor))
                if id(tensor) in known:
                    reads[id(tensor)] = tensor
    reads |= {id(tensor): tensor for tensor in wanted if id(tensor) in known}
    return work, list(reads.values())


def _with_frees(stages):
    alive, finished = {}, []
    for i, stage in enumerate(stages):
        alive |= {id(tensor): tensor for tensor in stage.stores}
        later = {id(tensor) for other in stages[i + 1 :] for tensor in other.reads}
        done = [key for key in alive if key not in later]
        finished.append(stage._replace(frees=[alive.pop(key) for key in done]))
    return finished


# --- strides and margins -----------------------------------------------------------------------


def _stride(layer):
    """Return the elements of a layer's input for one element of its output."""
    if isinstance(layer, layers.Conv2DTranspose):
        return 1 / layer.strides[0]
    if isinstance(layer, layers.UpSampling2D):
        return 1 / layer.size[0]
    if getattr(layer, "mode", None):  # a convolution that doubles its images first
        return 1 / 2
    return layer.strides[0] if isinstance(layer, WINDOWS) else 1


def _reach(layer):
    """Return how many elements of its input, to each side, an output depends on."""
    if isinstance(layer, layers.Conv2DTranspose):
        return -(-max(layer.kernel_size) // layer.strides[0])
    if isinstance(layer, WINDOWS):
        return (max(layer.kernel_size) - 1) * max(layer.dilation_rate) // 2 + 1
    return 1 if isinstance(layer, layers.UpSampling2D) else 0


def _margin(work, reads, steps):
    """Return the pixels that a stage needs around a tile, a multiple of all of its strides."""
    reach = {id(tensor): 0 for tensor in reads}
    for layer in work:
        inputs = inputs_of(layer)
        step = steps[id(inputs[0])]
        reach[id(layer.output)] = max(reach[id(t)] for t in inputs) + step * _reach(layer)
    grid = max(steps[key] for key in reach)
    return int(-(-max(reach.values()) // grid) * grid)


def _check_grid(generator, tensors, steps, side):
    """Refuse a stored tensor with additional borders, from padding: tiles wouldn't join."""
    image = keras.KerasTensor((1, side, side, generator.input_shape[-1]))
    found = keras.Function(generator.input, tensors).compute_output_spec(image)
    for tensor, whole in zip(tensors, found, strict=True):
        if tuple(whole.shape[1:3]) != (side / steps[id(tensor)],) * 2:
            raise ValueError(
                f"The generator {generator.name!r} can't be tiled: {tensor.name!r}, which an "
                f"instance norm or a skip connection reads, is {whole.shape[1]}×{whole.shape[2]} "
                f"for an image of {side}×{side}. Translate without `tile`."
            )
