"""The training set by NumPy and threads, for JAX and torch without TensorFlow: the same batches."""

import collections
import concurrent.futures
import os

import keras
import numpy as np

from keras_cyclegan.data.draws import MIRROR, QUARTER, TURNS, UPSIDE_DOWN
from keras_cyclegan.data.images import Images
from keras_cyclegan.data.sampler import Sampler, as_batch

AHEAD = 8  # batches that are prepared before they are asked for


class UnpairedBatches(Sampler, keras.utils.PyDataset):
    """A `Sampler` as a `keras.utils.PyDataset`, which can be iterated over like a `Dataset` too."""

    def __init__(self, *args, **kwargs):
        Sampler.__init__(self, *args, **kwargs)
        keras.utils.PyDataset.__init__(self)
        self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        self._places, self._waiting = None, {}

    def __len__(self):
        return self.steps_per_epoch

    @property
    def num_batches(self):
        """Steps of the next iteration, or of that which runs: fewer after `seek` into an epoch."""
        if self._places is None:
            return self.steps_per_epoch - self.position % self.steps_per_epoch
        return len(self._places[0]) // self._share

    @property
    def _share(self):
        return self.batch_size // self.process_share[1]

    @property
    def element_spec(self):
        return as_batch({name: self._spec(stream) for name, stream in self.streams.items()})

    def _spec(self, stream):
        values = stream.values
        if not isinstance(values, Images):
            return keras.KerasTensor((self._share, *values.shape[1:]), values.dtype)
        shape = (self._share, *self.image_size, values.channels)
        return keras.KerasTensor(shape, "float32" if stream.pixels else values.dtype)

    def on_epoch_begin(self):
        self._waiting.clear()
        self._places = self.plan(*self.begin())

    def on_epoch_end(self):
        self._places = None

    def __getitem__(self, index):
        if self._places is None:
            self.on_epoch_begin()
        for number in range(index, min(index + AHEAD, self.num_batches)):
            if number not in self._waiting:
                self._waiting[number] = self._pool.submit(self._batch, number, self._places)
        return self._waiting.pop(index).result()

    def __iter__(self):
        self.on_epoch_begin()
        places, share = self._places, self._share
        self._places = None
        numbers, waiting = iter(range(len(places[0]) // share)), collections.deque()
        while True:
            while len(waiting) < AHEAD and (number := next(numbers, None)) is not None:
                waiting.append(self._pool.submit(self._batch, number, places))
            if not waiting:
                return
            yield waiting.popleft().result()

    def _batch(self, number, places):
        rows = slice(number * self._share, (number + 1) * self._share)
        places = dict(zip(self.groups, places, strict=True))
        return as_batch(
            {
                name: stream.scale(self._cut(stream, places[stream.group][rows]))
                for name, stream in self.streams.items()
            }
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
                    window = _turned(window, bit)
            image[:] = window
        return images


def _turned(image, bit):
    return {
        MIRROR: lambda: image[:, ::-1],
        UPSIDE_DOWN: lambda: image[::-1],
        QUARTER: lambda: image.swapaxes(0, 1),
    }[bit]()


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
            {
                name: stream.scale(np.stack([stream.values[row] for row in rows]))
                for name, stream in self.streams.items()
            }
        )
