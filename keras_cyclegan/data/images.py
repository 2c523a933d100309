"""Images of one domain in one flat array, of one size or of many, in memory or on disk."""

import numpy as np


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
