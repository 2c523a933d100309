"""Looks at every image of a split: its size, bits, range, and whether it can be read."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
from typing import NamedTuple

import numpy as np

from keras_cyclegan.data.decode import open_native
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.files.untrusted import printable

SIDE = 128  # of the copies that the probe sees
PROBED = 400  # images of a domain, evenly spread over its files


class Seen(NamedTuple):
    """One image: the hash of its pixels, the mean of each channel, a small RGB copy or None."""

    name: str
    size: tuple[int, int]
    kind: tuple[str, int]
    low: float
    high: float
    digest: str
    mean: np.ndarray
    copy: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found in one split of one domain: images, and messages of those unreadable."""

    title: str
    count: int
    images: list[Seen]
    unreadable: list[str]

    def counted(self, field):
        return collections.Counter(getattr(image, field) for image in self.images)

    @property
    def ends(self):
        """The lowest and the highest value of all images."""
        return min(image.low for image in self.images), max(image.high for image in self.images)

    @property
    def copies(self):
        return [image for image in self.images if image.copy is not None]


def survey(split, channels, max_pixels=MAX_PIXELS):
    """Open every image of a `Split`, and note what it is."""
    step = max(1, split.count // PROBED)

    def look(numbered):
        number, (name, source) = numbered
        try:
            image = _open(source, channels, max_pixels)
        except (ImportError, OSError, ValueError) as error:
            text = printable(error)
            return text if name in text else f"{name}: {text}"
        return Seen(
            split.names[number],
            image.shape[:2],
            (image.dtype.name, image.shape[2]),
            float(image.min()),
            float(image.max()),
            hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).hexdigest(),
            image.mean(axis=(0, 1), dtype="float64"),
            _small(image) if number % step == 0 else None,
        )

    records = split.records()
    if split.draw:
        records = zip(split.names, split.draw((32, 32), channels), strict=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(look, enumerate(records)))
    unreadable = [each for each in found if isinstance(each, str)]
    images = [each for each in found if isinstance(each, Seen)]
    return Survey(split.title, split.count, images, unreadable)


def _open(source, channels, max_pixels):
    if isinstance(source, np.ndarray):
        return source
    try:
        return open_native(source, channels, max_pixels)
    except ValueError:
        if channels in (1, 3):
            raise
        return open_native(source, 3, max_pixels)  # to count what it is


def _small(image):
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
        for image in each.images:
            name = f"{os.path.basename(each.title)}: {printable(image.name)}"
            by_hash[image.digest].append(name)
    return [names for names in by_hash.values() if len(names) > 1]
