"""The training set as a `tf.data.Dataset`. Import it where it is used: it needs TensorFlow."""

import os

import numpy as np

try:
    import tensorflow as tf
except ImportError as error:
    raise ImportError(
        "Datasets run on tf.data, whichever backend trains: `pip install tensorflow`. "
        "Without TensorFlow, give `fit` two arrays or a `keras.utils.PyDataset` of batches (a, b)."
    ) from error

from keras_cyclegan.data.augment import crop_and_flip
from keras_cyclegan.data.pixels import to_unit

# TensorFlow would first rewrite each function that it traces, in search of loops: half a second.
without_autograph = tf.autograph.experimental.do_not_convert
A, B, INDEX_B = 0, 1, 2  # numbers of the draws: crops of A and of B, and which image of B


class UnpairedDataset(tf.data.Dataset):
    """Batches of unpaired images; each iteration is the next epoch, and any step can be sought.

    Everything random is a function of the seed and the step alone. An iteration yields the steps
    from `position` to the end of that epoch, and moves `position` there when it starts. So each
    epoch has a new order and new crops, over several calls of `fit` too. After `seek(step)` the
    next iteration yields what an uninterrupted run sees from `step` on, also within an epoch.

    An iteration counts as soon as it starts, even if only one batch is taken from it: after
    `next(iter(train))`, or when Keras took a batch to build a model, `seek(0)` goes back. To `fit`,
    the dataset is finite and has a known length. For longer or shorter epochs give
    `steps_per_epoch` to `load` or `unpaired_dataset`, not to `fit`, where it would cut one
    iteration into epochs and leave `seek` without effect until that ends. `repeat()` never ends.

    Attributes:
        steps_per_epoch: int. Steps of an epoch, the cardinality.
        position: int. The step at which the next iteration starts.
        seed: int. Seed of everything random.
    """

    def __init__(
        self,
        images_a,
        images_b,
        image_size,
        batch_size,
        flip,
        seed,
        steps_per_epoch,
        process_share=(0, 1),
    ):
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.seed = seed
        self.process_share = process_share
        self.position = 0
        self._pipeline = self._build(images_a, images_b, image_size, flip)
        super().__init__(tf.data.experimental.to_variant(self._pipeline))

    def seek(self, step):
        """Set the step at which the next iteration starts, counted over all epochs.

        Args:
            step: int, 0 or more. An epoch starts at each multiple of `steps_per_epoch`.
        """
        if step != int(step) or step < 0:
            raise ValueError(f"A step is a whole number, 0 or more. Received: {step!r}.")
        self.position = int(step)

    def cardinality(self):
        """Return the steps of a whole epoch, even after `seek` went into the middle of one."""
        return tf.constant(self.steps_per_epoch, "int64")

    @property
    def element_spec(self):
        return self._pipeline.element_spec

    def _inputs(self):
        return [self._pipeline]

    def _begin_iteration(self):
        start = self.position
        self.position = (start // self.steps_per_epoch + 1) * self.steps_per_epoch
        return start * self.batch_size, self.position * self.batch_size

    def _build(self, images_a, images_b, image_size, flip):
        augment = crop_and_flip(image_size, flip)
        tensor_a, tensor_b = as_tensor(images_a), as_tensor(images_b)
        index, processes = self.process_share
        share = self.batch_size // processes

        @without_autograph
        def numbers(_):
            # Python is called only once for an iteration: calls for each image, from tf.data's
            # threads, can hang an interpreter that exits.
            start, end = tf.numpy_function(self._begin_iteration, [], ("int64", "int64"))
            every = tf.data.Dataset.range(start, end)
            return every.filter(lambda n: n % self.batch_size // share == index)

        @without_autograph
        def pair(number):
            seed = tf.constant(self.seed, "int64")
            keys = [
                tf.random.experimental.stateless_fold_in(tf.stack([seed, use]), number)
                for use in (A, B, INDEX_B)
            ]
            index_a = shuffled_index(number, tensor_a.shape[0], seed)
            index_b = tf.random.stateless_uniform((), keys[INDEX_B], 0, tensor_b.shape[0], "int64")
            image_a, image_b = tensor_a[index_a], tensor_b[index_b]
            return to_unit(augment(image_a, keys[A])), to_unit(augment(image_b, keys[B]))

        dataset = tf.data.Dataset.from_tensors(0).flat_map(numbers)
        dataset = dataset.map(pair, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return dataset.batch(share, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def shuffled_index(number, count, seed):
    """Map step numbers to indices of `count` images, shuffled anew after every `count` steps."""
    order = tf.stack([seed, number // count])
    return tf.random.experimental.index_shuffle(number % count, order, tf.cast(count - 1, "int64"))


def as_tensor(images):
    """Make a tensor of an array; one that is mapped into memory stays on disk."""
    # In the host's memory, where tf.data works. Captured tensors aren't copied into its graph.
    with tf.device("CPU:0"):
        if (
            isinstance(images, np.memmap)
            and images.flags.c_contiguous
            and images.offset == 0
            and images.nbytes == os.path.getsize(images.filename)
        ):
            return tf.raw_ops.ImmutableConst(
                dtype=images.dtype, shape=images.shape, memory_region_name=str(images.filename)
            )
        return tf.constant(images)
