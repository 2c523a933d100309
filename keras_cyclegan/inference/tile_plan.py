"""Cuts a network at its instance norms into stages, for `tiles`."""

from collections import defaultdict
from typing import NamedTuple

import keras
from keras import layers

from keras_cyclegan.layers import FrozenNormalization, ReflectionPadding2D

WINDOWS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
LOCAL = (
    *WINDOWS,
    *(layers.Conv2DTranspose, layers.UpSampling2D, layers.InputLayer, layers.Activation),
    *(layers.ReLU, layers.LeakyReLU, layers.Dropout, layers.BatchNormalization, layers.Add),
    *(layers.Concatenate, layers.Cropping2D, layers.ZeroPadding2D, ReflectionPadding2D),
)


class Stage(NamedTuple):
    """Layers that process all tiles of the image before the next stage starts."""

    reads: list  # tensors known for the whole image: the input, or stored by an earlier stage
    layers: list  # in the order of their calls; the statistics for norms among them are known
    measures: list  # tensors whose mean and variance a norm of a later stage needs
    stores: list  # tensors that later stages read, or the network's output
    margin: int  # pixels around a tile that its computation needs


def plan(generator, rule):
    """Plan the stages that together give the same translation as one call of the generator.

    A norm needs the statistics of its whole input, so that a stage ends before each norm (before
    those of all branches at once), and what later stages read is stored. Returned are the stages,
    and each tensor's step by its `id`: 4 pixels of the image at a quarter of the resolution.
    """
    _check_layers(generator)
    steps, levels = {id(generator.input): 1.0}, {id(generator.input): 0}
    work_of = defaultdict(list)
    for layer in generator.operations[1:]:
        given = [id(tensor) for tensor in inputs_of(layer)]
        steps[id(layer.output)] = steps[given[0]] * _stride(layer)
        level = max(levels[key] for key in given) + is_instance_norm(layer)
        levels[id(layer.output)] = level
        work_of[level].append(layer)
    stages = []
    for level in range(max(levels.values()) + 1):
        work = work_of[level]
        later = [layer for above in work_of if above > level for layer in work_of[above]]
        made = {id(layer.output) for layer in work}
        wanted = {id(t) for layer in later for t in inputs_of(layer)} | {id(generator.output)}
        stores = [layer.output for layer in work if id(layer.output) in wanted]
        known = made if level else made | {id(generator.input)}
        measures = [layer.input for layer in later if is_instance_norm(layer)]
        measures = [tensor for tensor in measures if id(tensor) in known]
        given = {id(t): t for t in [*(t for layer in work for t in inputs_of(layer)), *measures]}
        reads = [tensor for key, tensor in given.items() if key not in made]
        stages.append(Stage(reads, work, measures, stores, _margin(work, reads, steps)))
    kept = [tensor for stage in stages for tensor in stage.stores]
    _check_grid(generator, kept, steps, 4 * rule.smallest)
    return stages, steps


def frozen_copy(generator):
    """Return a copy of a network with `FrozenNormalization` in the place of instance norms."""

    def copy(layer):
        if is_instance_norm(layer):
            return FrozenNormalization(name=layer.name, dtype=layer.dtype_policy)
        return type(layer).from_config(layer.get_config())

    cloned = keras.models.clone_model(generator, clone_function=copy)
    for layer in generator.operations[1:]:
        if not is_instance_norm(layer):
            cloned.get_layer(layer.name).set_weights(layer.get_weights())
    cloned.name = generator.name
    return cloned


def _check_layers(generator):
    """Refuse a network with a layer that may look beyond a tile, or that is called twice."""
    refused = f"The generator {generator.name!r} can't be tiled: "
    for layer in generator.operations:
        known = isinstance(layer, LOCAL) or is_instance_norm(layer)
        if not known and not getattr(layer, "pointwise", False):  # set by layers of this package
            kind = type(layer).__name__
            raise ValueError(f"{refused}its layer {layer.name!r} ({kind}) may look at the whole.")
    inputs = [tensor for layer in generator.operations[1:] for tensor in inputs_of(layer)]
    made = {id(layer.output) for layer in generator.operations}
    if not made.issuperset(id(tensor) for tensor in [*inputs, generator.output]):
        raise ValueError(f"{refused}it calls a layer twice, or one of another network.")


def inputs_of(layer):
    """Return the input tensors of a layer as a list."""
    return keras.tree.flatten(layer.input)


def is_instance_norm(layer):
    """Return whether each channel is a group; Keras builds `groups=-1` as such."""
    return isinstance(layer, layers.GroupNormalization) and layer.groups == layer.output.shape[-1]


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
                f"for an image of {side}×{side}."
            )
