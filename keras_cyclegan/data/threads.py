"""The training set by NumPy and threads, for JAX and torch without TensorFlow: the same batches."""

import collections
import concurrent.futures
import os

import keras
import numpy as np

from keras_cyclegan.data.draws import AXES, MIRROR, QUARTER, TURNS
from keras_cyclegan.data.sampler import Images, Sampler, as_batch

AHEAD = 8  # batches that are prepared before they are asked for


class UnpairedBatches(Sampler, keras.utils.PyDataset):
    """A `Sampler` as a `keras.utils.PyDataset`, which can be iterated over like a `Dataset` too."""

    def __init__(self, *args, **kwargs):
        Sampler.__init__(self, *args, **kwargs)
        keras.utils.PyDataset.__init__(self)
        self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        self._share = self.batch_size // self.process_share[1]
        self._running, self._left = None, 0

    def __len__(self):
        return self.steps_per_epoch

    @property
    def num_batches(self):
        """Steps of the next iteration, or of that which runs: fewer after `seek` into an epoch."""
        left = self.steps_per_epoch - self.position % self.steps_per_epoch
        return left if self._running is None else self._left

    @property
    def element_spec(self):
        first = self._batch(0, [np.zeros((self._share, 4), "int64")] * len(self.groups))
        return keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, str(x.dtype)), first)

    def on_epoch_begin(self):
        self._running = None
        self._left = self.num_batches
        self._running = iter(self)

    def on_epoch_end(self):
        self._running = None

    def __getitem__(self, index):
        if self._running is None:
            self.on_epoch_begin()
        return next(self._running)  # Keras asks for one after the other

    def __iter__(self):
        return self._batches(self.plan(*self.begin()))

    def _batches(self, places):
        numbers, waiting = iter(range(len(places[0]) // self._share)), collections.deque()
        while True:
            while len(waiting) < AHEAD and (number := next(numbers, None)) is not None:
                waiting.append(self._pool.submit(self._batch, number, places))
            if not waiting:
                return
            yield waiting.popleft().result()

    def _batch(self, number, places):
        rows = slice(number * self._share, (number + 1) * self._share)
        places = {group: each[rows] for group, each in zip(self.groups, places, strict=True)}
        return as_batch(
            {n: s.scale(self._cut(s, places[s.group])) for n, s in self.streams.items()}
        )

    def _cut(self, stream, places):
        if not isinstance(stream.values, Images):
            return stream.values[places[:, 0]]
        height, width = self.image_size
        images = np.empty((len(places), height, width, stream.values.channels), stream.values.dtype)
        for image, (index, row, column, turn) in zip(images, places, strict=True):
            window = stream.values[index][row : row + height, column : column + width]
            for bit in TURNS[self.flip]:
                if turn >> (bit - MIRROR) & 1:
                    quarter = bit == QUARTER
                    window = window.swapaxes(0, 1) if quarter else np.flip(window, AXES[bit])
            image[:] = window
        return images


class PairedBatches(keras.utils.PyDataset):
    """Batches of the first `pairs` entries of all streams, in order and unchanged."""

    def __init__(self, streams, pairs, batch_size):
        super().__init__()
        self.streams = streams
        self.pairs = pairs
        self.batch_size = batch_size

    def __len__(self):
        return -(-self.pairs // self.batch_size)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)  # ends an iteration
        rows = range(index * self.batch_size, min((index + 1) * self.batch_size, self.pairs))
        return as_batch(
            {n: s.scale(np.stack([s.values[i] for i in rows])) for n, s in self.streams.items()}
        )
