"""Counts what the images of a split are: sizes, bits, ranges, equal files, unreadable files."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import statistics

import numpy as np

from keras_cyclegan.data.decode import open_native
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.files.untrusted import printable

SIDE = 128  # of the copies that colours are counted on and that the probe sees
PROBED = 400  # images of a domain, evenly spread over its files


@dataclasses.dataclass
class Survey:
    """What was found in one split of one domain.

    Attributes:
        title: its name.
        count: images that were found.
        unreadable: list of messages, one for each image that can't be read.
        sizes: `Counter` of `(height, width)`.
        kinds: `Counter` of `(dtype, channels)`.
        low, high: the lowest and the highest value of all images.
        names: the images that could be read, in order.
        hashes: a hash of the pixels of each of these.
        means: array `(n, channels)`: the mean of each of these, in the numbers of the files.
        copies: dict from indices in `names` to small uint8 copies `(SIDE, SIDE, 3)`.
    """

    title: str
    count: int
    unreadable: list[str] = dataclasses.field(default_factory=list)
    sizes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kinds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    low: float = np.inf
    high: float = -np.inf
    names: list[str] = dataclasses.field(default_factory=list)
    hashes: list[str] = dataclasses.field(default_factory=list)
    means: list = dataclasses.field(default_factory=list)
    copies: dict = dataclasses.field(default_factory=dict)

    @property
    def range_used(self):
        """The part of what its files' dtype holds that the values span, or None for floats."""
        dtypes = {dtype for dtype, _ in self.kinds}
        if len(dtypes) != 1 or "float32" in dtypes:
            return None
        ends = np.iinfo(dtypes.pop())
        return (self.high - self.low) / (ends.max - ends.min)

    def median_size(self):
        sizes = list(self.sizes.elements())
        return tuple(int(statistics.median(side)) for side in zip(*sizes, strict=True))


def survey(split, channels, max_pixels=MAX_PIXELS):
    """Open every image of a `Split`, and note what it is."""
    found = Survey(split.title, split.count)
    if split.draw:
        return _drawn(found, split, channels)
    step = max(1, split.count // PROBED)

    def look(numbered):
        number, (name, source) = numbered
        try:
            image = _open(source, channels, max_pixels)
        except (ImportError, OSError, ValueError) as error:
            return name, printable(error), None
        return name, image, small(image) if number % step == 0 else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, image, copy), short in zip(
            pool.map(look, enumerate(split.records())), split.names, strict=True
        ):
            if isinstance(image, str):
                found.unreadable.append(image if name in image else f"{name}: {image}")
            else:
                _note(found, short, image, copy)
    return found


def _open(source, channels, max_pixels):
    if isinstance(source, np.ndarray):
        return source
    try:
        return open_native(source, channels, max_pixels).pixels
    except ValueError:
        if channels in (1, 3):
            raise
        return open_native(source, 3, max_pixels).pixels  # to count what it is


def _note(found, name, image, copy):
    found.sizes[image.shape[:2]] += 1
    found.kinds[image.dtype.name, image.shape[2]] += 1
    found.low = min(found.low, float(image.min()))
    found.high = max(found.high, float(image.max()))
    if copy is not None:
        found.copies[len(found.names)] = copy
    found.names.append(name)
    content = np.ascontiguousarray(image)
    found.hashes.append(hashlib.blake2b(content, digest_size=16).hexdigest())
    found.means.append(image.mean(axis=(0, 1), dtype="float64"))


def _drawn(found, split, channels):
    for number, image in enumerate(split.draw((32, 32), channels)):
        _note(found, split.names[number], image, small(image))
    return found


def small(image):
    """Return a uint8 copy `(SIDE, SIDE, 3)`, whose contrast is its own where it isn't of 8 bits."""
    if image.dtype != np.uint8:
        low, high = np.quantile(image, [0.005, 0.995])
        image = np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255).astype("uint8")
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return resize_image(np.ascontiguousarray(image), (SIDE, SIDE))


def duplicates(surveys):
    """Return lists of `"folder: name"` of images whose pixels are equal, over all splits."""
    by_hash = collections.defaultdict(list)
    for each in surveys:
        for name, digest in zip(each.names, each.hashes, strict=True):
            by_hash[digest].append(f"{os.path.basename(each.title)}: {printable(name)}")
    return [names for names in by_hash.values() if len(names) > 1]
