"""The training set as a `tf.data.Dataset`. Import it where it is used: it needs TensorFlow."""

import functools
import os

import numpy as np
import tensorflow as tf

from keras_cyclegan.data.draws import AXES, GROUPS, MIRROR, QUARTER, TURNS
from keras_cyclegan.data.sampler import Images, Sampler, as_batch

# TensorFlow would first rewrite each function that it traces, in search of loops: half a second.
without_autograph = tf.autograph.experimental.do_not_convert


class UnpairedDataset(Sampler, tf.data.Dataset):
    """A `Sampler` as a `tf.data.Dataset`. `repeat()` never ends."""

    def __init__(self, *args, **kwargs):
        Sampler.__init__(self, *args, **kwargs)
        self._pipeline = self._build()
        tf.data.Dataset.__init__(self, tf.data.experimental.to_variant(self._pipeline))

    def cardinality(self):
        """Return the steps of a whole epoch, even after `seek` went into the middle of one."""
        return tf.constant(self.steps_per_epoch, "int64")

    @property
    def element_spec(self):
        return self._pipeline.element_spec

    def _inputs(self):
        return [self._pipeline]

    def _build(self):
        groups = list(self.groups)
        entries = _entries(self.streams, groups, self.image_size, self.flip)

        @without_autograph
        def images(_):
            # Python is called only once for an iteration: calls for each image, from tf.data's
            # threads, can hang an interpreter that exits.
            plan = tf.numpy_function(lambda: self.plan(*self.begin()), [], ["int64"] * len(groups))
            plan = [tf.ensure_shape(places, (None, 4)) for places in plan]
            return tf.data.Dataset.from_tensor_slices(tuple(plan))

        dataset = tf.data.Dataset.from_tensors(0).flat_map(images)
        dataset = dataset.map(entries, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        share = self.batch_size // self.process_share[1]
        return dataset.batch(share, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def validation_batches(streams, pairs, batch_size):
    """Make batches of the first `pairs` entries of all streams, in order and unchanged."""
    entries = _entries(streams, GROUPS, streams["a"].values.size, "none")
    places = np.column_stack([np.arange(pairs), np.zeros((pairs, 3), "int64")])
    dataset = tf.data.Dataset.from_tensor_slices((places,) * len(GROUPS)).map(entries)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _entries(streams, groups, window, flip):
    """Make a function of each group's place that returns an entry of all streams."""
    cut = {name: _cutter(stream, window, flip) for name, stream in streams.items()}

    @without_autograph
    def entries(*places):
        places = dict(zip(groups, places, strict=True))
        return as_batch({n: cut[n](places[s.group]) for n, s in streams.items()})

    return entries


def _cutter(stream, window, flip):
    """Make a function of a place, `(index, row, column, turn)`, that cuts it out and scales it."""
    values = stream.values
    if not isinstance(values, Images):
        items = tf.constant(values)
        return lambda place: items[place[0]]
    tensor, (height, width), channels = _as_tensor(values), window, values.channels
    with tf.device("CPU:0"):
        starts, widths = tf.constant(values.starts), tf.constant(values.sizes[:, 1])

    def cut(place):
        index, row, column, turn = tf.unstack(place)
        across = values.size[1] if values.size else widths[index]
        first = starts[index] + row * across * channels
        rows = tf.slice(tensor, [first], [height * across * channels])
        rows = tf.reshape(rows, (height, across, channels))
        image = tf.slice(rows, (0, column, 0), (height, width, channels))
        for bit in TURNS[flip]:
            turns = tf.bitwise.right_shift(turn, bit - MIRROR) % 2 > 0
            turned = functools.partial(_turned, image, bit)
            image = tf.cond(turns, turned, functools.partial(tf.identity, image))
        return stream.scale(image)

    return cut


def _turned(image, bit):
    return tf.transpose(image, (1, 0, 2)) if bit == QUARTER else tf.reverse(image, [AXES[bit]])


def _as_tensor(images):
    """Make a flat tensor of `Images`; a whole file that is mapped into memory stays on disk."""
    values = images.values
    # In the host's memory, where tf.data works. Captured tensors aren't copied into its graph.
    with tf.device("CPU:0"):
        path = getattr(values, "filename", None)
        if path and values.nbytes == os.path.getsize(path):
            return tf.raw_ops.ImmutableConst(
                dtype=values.dtype, shape=values.shape, memory_region_name=str(path)
            )
        return tf.constant(values)
