"""One generator, ready to translate: its graph, sizes, memory and tiles."""

import contextlib
import functools
import math
import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_cyclegan.inference.sizes import find_rule
from keras_cyclegan.inference.tile_plan import plan
from keras_cyclegan.inference.working_size import change_network
from keras_cyclegan.layers.cpu import fast_paths
from keras_cyclegan.processor import warn_if_too_late, warn_of_emulated_dtype

SLACK = 2.6  # peak memory over that of the widest layer, at most (an `AttentionGenerator`)
PIXEL_BYTES = 60  # the image and its translation as floats and as pixels, and copies of them

_runners: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def runner(generator):
    """Return the `Runner` of a `keras.Model`, the same as long as the model lives."""
    if generator not in _runners:
        _runners[generator] = Runner(generator)
    return _runners[generator]


class Runner:
    """Translates batches of any size by one generator; what it finds out, it finds out once.

    It is no attribute of the generator, where Keras would save it and TensorFlow export it.
    """

    def __init__(self, generator):
        self._reference = weakref.ref(generator)  # a strong one would keep it in `_runners`
        self._graph, self._variables = None, None
        warn_of_emulated_dtype([generator])

    @property
    def generator(self):
        return self._reference()

    @functools.cached_property
    def rule(self):
        return find_rule(self.generator)

    @functools.cached_property
    def pixel_bytes(self):
        """Estimate of the memory for each pixel; 0 for a subclassed model."""
        if not getattr(self.generator, "inputs", None):
            return 0
        return SLACK * _widest_layer(self.generator, 16 * self.rule.smallest) + PIXEL_BYTES

    @functools.cached_property
    def stages(self):
        return plan(self.generator, self.rule)

    @functools.cached_property
    def change(self):
        return change_network(self.generator)

    def padded_pixels(self, height, width):
        return self.rule.padded(height) * self.rule.padded(width)

    def bytes_for(self, height, width):
        """Estimate the memory for one whole image."""
        # A subclassed model may not know its sizes.
        return self.pixel_bytes and int(self.padded_pixels(height, width) * self.pixel_bytes)

    def check_size(self, height, width):
        """Raise a ValueError for an image that a generator built for one size can't take."""
        fixed = self.generator.input_shape[1:3]
        if None not in fixed and tuple(fixed) != (height, width):
            raise ValueError(
                f"The generator {self.generator.name!r} was built for images of "
                f"{fixed[0]}×{fixed[1]} only. Received one of {height}×{width}. Build it on "
                "`keras.Input((None, None, channels))` to translate every size."
            )

    def __call__(self, images):
        """Translate `(n, height, width, channels)`, float32 in [-1, 1], to an array of the same.

        On TensorFlow by a graph with an unknown number, height and width, so that new ones need no
        new graph; elsewhere by `predict_on_batch`, which JAX compiles for each size.
        """
        height, width = images.shape[1:3]
        self.check_size(height, width)
        if keras.backend.backend() == "tensorflow":
            return self._current_graph()(images).numpy()
        padded = ops.convert_to_numpy(self.rule.pad(images))
        if keras.distribution.distribution() is None:
            translated = self.generator.predict_on_batch(padded)
        else:  # `predict_on_batch` would split the batch between devices and processes
            translated = ops.convert_to_numpy(self.generator(padded, training=False))
        return np.asarray(translated)[:, :height, :width]

    def apply(self, images, fast=True):
        """Pad a tensor `(n, height, width, channels)`, translate and crop it, also in a graph.

        `fast` says whether layers take their fast ways.
        """
        height, width = ops.shape(images)[1:3]
        padded = self.rule.pad(images)
        even = self.rule.multiple % 2 == 0
        with fast_paths(even=even) if fast else contextlib.nullcontext():
            return self.generator(padded, training=False)[:, :height, :width]

    def _current_graph(self):
        """Return the `tf.function`, a new one where quantization or LoRA made new variables."""
        import tensorflow as tf

        variables = [id(variable) for variable in self.generator.variables]
        if self._variables != variables:
            warn_if_too_late()
            signature = tf.TensorSpec((None, None, None, self.generator.input_shape[-1]), "float32")
            self.rule  # noqa: B018, found outside of the graph
            self._graph = tf.function(self.apply, input_signature=[signature], autograph=False)
            self._variables = variables
        return self._graph


def _widest_layer(network, default_side):
    """Return the most bytes, per input pixel, of float32 that a layer reads and writes."""
    side = [fixed or default_side for fixed in network.input_shape[1:3]]
    flat, operations = keras.tree.flatten, network.operations
    tensors = [tensor for operation in operations for tensor in flat(operation.output)]
    image = keras.KerasTensor((1, *side, network.input_shape[-1]))
    specs = keras.Function(network.input, tensors).compute_output_spec(image)
    size = {id(t): 4 * math.prod(spec.shape) for t, spec in zip(tensors, specs, strict=True)}
    touched = (flat([operation.input, operation.output]) for operation in operations[1:])
    read_and_written = (sum(size[id(t)] for t in tensors) for tensors in touched)
    return max(read_and_written, default=sum(size.values())) / math.prod(side)
