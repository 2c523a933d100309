"""Images of one domain in one flat array, of one size or of many, in memory or on disk."""

import os

import numpy as np


class Images:
    """Images `(height, width, channels)`, one after the other in a flat array.

    Args:
        values: array of rank 4, `(n, height, width, channels)`, or a list of arrays of rank 3, or
            a flat array or `numpy.memmap`, for which `sizes` and `channels` are given.
        sizes: int array `(n, 2)`, heights and widths.
        channels: int.
    """

    def __init__(self, values, sizes=None, channels=None):
        if sizes is None and isinstance(values, np.ndarray):
            sizes, channels = [values.shape[1:3]] * len(values), values.shape[3]
            values = values.reshape(-1)
        elif sizes is None:
            sizes, channels = [image.shape[:2] for image in values], values[0].shape[2]
            values = np.concatenate([image.reshape(-1) for image in values])
        self.values = values
        self.sizes = np.asarray(sizes, "int64").reshape(-1, 2)
        self.channels = channels
        lengths = self.sizes.prod(axis=1) * channels
        self.starts = np.cumsum(lengths) - lengths

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        height, width = self.sizes[index]
        start = self.starts[index]
        flat = self.values[start : start + height * width * self.channels]
        return flat.reshape(height, width, self.channels)

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def size(self):
        """`(height, width)`, or None where there are several sizes."""
        same = (self.sizes == self.sizes[0]).all()
        return tuple(self.sizes[0].tolist()) if same else None

    def as_array(self):
        """Return an array of rank 4, for images of one size."""
        return self.values.reshape(-1, *self.size, self.channels)

    def is_whole_file(self):
        """Return whether the flat array is all of a file that is mapped into memory."""
        return (
            isinstance(self.values, np.memmap)
            and self.values.flags.c_contiguous
            and self.values.offset == 0
            and self.values.nbytes == os.path.getsize(self.values.filename)
        )
