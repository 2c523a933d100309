"""Images in one array, which of them make which step, and where each is cut: for every loader."""

from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.data.draws import draw_places
from keras_cyclegan.data.pixels import PixelFormat

MASK = "mask"  # what a stream of masks has in place of a format


class Images:
    """Images `(height, width, channels)`, one after the other in a flat array.

    Made of an array of rank 4, of a list of arrays of rank 3, or of a flat array with the images'
    `(height, width)` and channels.
    """

    def __init__(self, values, sizes=None, channels=None):
        if sizes is None:
            sizes, channels = [image.shape[:2] for image in values], values[0].shape[2]
            if isinstance(values, np.ndarray):
                values = values.reshape(-1)
            else:
                values = np.concatenate([image.reshape(-1) for image in values])
        self.values = values
        self.sizes = np.asarray(sizes, "int64").reshape(-1, 2)
        self.channels = channels
        lengths = self.sizes.prod(axis=1) * channels
        self.starts = np.cumsum(lengths) - lengths
        self.dtype = values.dtype
        same = (self.sizes == self.sizes[0]).all()
        self.size = tuple(self.sizes[0].tolist()) if same else None  # None: there are several

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        height, width = self.sizes[index]
        start = self.starts[index]
        flat = self.values[start : start + height * width * self.channels]
        return flat.reshape(height, width, self.channels)

    def as_array(self):
        """Return an array of rank 4, for images of one size."""
        return self.values.reshape(-1, *self.size, self.channels)


class Stream(NamedTuple):
    """One entry of the batches: the images of a domain, or what rides along with them.

    All streams of a group, `"a"`, `"b"` or `"pair"`, show the same image at a time, cut at the same
    place and turned the same way.
    """

    values: Any  # `Images`, or an array of one item for each image, such as labels
    group: str
    pixels: PixelFormat | str | None = None  # MASK becomes float32, 0 to 1; None stays as it is

    def scale(self, values):
        """Scale what was cut out, an array or a tensor of TensorFlow."""
        if self.pixels is None:
            return values
        if self.pixels == MASK:
            return (PixelFormat(channels=1).to_unit(values) + 1.0) / 2.0
        return self.pixels.to_unit(values)


class Sampler:
    """Batches of unpaired images; each iteration is the next epoch, and any step can be sought.

    Everything random is a function of the seed and the step. An iteration yields the steps from
    `position` to the end of that epoch, and moves `position` there as it starts: `seek(0)` goes
    back, also after a batch that Keras took to build a model.
    """

    def __init__(
        self, streams, image_size, batch_size, flip, seed, steps_per_epoch, process_share=(0, 1)
    ):
        self.streams = streams
        self.image_size = image_size
        self.batch_size = batch_size
        self.flip = flip
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.process_share = process_share
        self.pixels_a, self.pixels_b = streams["a"].pixels, streams["b"].pixels
        self.position = 0
        self.groups = {}  # what tells sizes: the first images of each
        for stream in streams.values():
            if isinstance(stream.values, Images):
                self.groups.setdefault(stream.group, stream.values)

    def seek(self, step):
        """Set the step, counted over all epochs, at which the next iteration starts."""
        if step != int(step) or step < 0:
            raise ValueError(f"A step is a whole number, 0 or more. Received {step!r}.")
        self.position = int(step)

    def begin(self):
        """Return the first and the last step of the next iteration, and count it."""
        start = self.position
        self.position = (start // self.steps_per_epoch + 1) * self.steps_per_epoch
        return start, self.position

    def plan(self, start, end):
        """Draw the places of this process's images of some steps, a list with an array a group."""
        numbers = np.arange(start * self.batch_size, end * self.batch_size)
        index, processes = self.process_share
        share = self.batch_size // processes
        numbers = numbers[numbers % self.batch_size // share == index]
        return [
            draw_places(numbers, self.seed, group, images.sizes, self.image_size, self.flip)
            for group, images in self.groups.items()
        ]


def as_batch(entries):
    """Return a batch as it is given: a dict of all entries, or `(a, b)` if those are all."""
    return entries if len(entries) > 2 else (entries["a"], entries["b"])
