"""Decodes images once, to one flat array, in memory or in a file that is mapped into memory."""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from keras_cyclegan.data.decode import as_kept, open_image, open_native, spread
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.ranges import Statistics, measure, merged, per_image_format
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.data.sampler import Images
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.download import cache_folder
from keras_cyclegan.files.untrusted import named

PROGRESS_FROM = 500  # images; a progress bar isn't worth it for fewer
CHUNK = 64  # few images wait in memory to be decoded or stored
MAX_NAMED = 10  # bad files that a message names


class UnusableImagesError(ValueError):
    """Raised when images can't be used; the message counts and names them."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The encoded images of one domain, in a folder or in a split of a dataset."""

    title: str  # its name in messages
    key: str  # changes when the images change
    names: list[str]  # without the folder
    records: Callable[[], Iterable]  # makes pairs of a name and what to decode
    draw: Callable | None = None  # of a size and channels: makes all images, in place of `records`

    @property
    def count(self):
        return len(self.names)


class Stored(NamedTuple):
    """Decoded images, the numbers of those that could be used, and their `Statistics` or None."""

    images: Images
    kept: Sequence[int]
    statistics: Statistics | None = None


@dataclasses.dataclass
class Decoder:
    """Decodes `Split`s; the attributes are those of `load`."""

    channels: tuple[int, int]
    image_size: tuple[int, int]  # that is cut out. Glyphs have it, and a border around it
    resize: str = "stretch"
    max_pixels: int = MAX_PIXELS
    on_error: str | None = None
    cache_folder: Any = None
    memory_left: float = math.inf
    ranges: tuple[Any, Any] = (None, None)
    formats: tuple[Any, Any] = (None, None)  # that images must have, where they are known

    def decode(self, wanted, on_error=None):
        """Decode several `Split`s; an `UnusableImagesError` has the bad images of all.

        `wanted` are tuples of a name that ends in the domain, such as `"mask_b"`, its `Split` or
        None, and `(height, width)`, or None to keep whole images. Returns `Stored` by name.
        """
        found, refused = {}, []
        for name, split, size in wanted:
            try:
                if split:
                    found[name] = self._store(name, split, size, on_error or self.on_error)
            except UnusableImagesError as error:
                refused.append(str(error))
        if refused:
            skips = self.on_error == "raise"
            skip = ', or leave them out with `on_error="skip"`' if skips else ""
            raise UnusableImagesError("\n".join([*refused, f"Repair or remove them{skip}."]))
        return found

    def _store(self, name, split, size, on_error):
        domain, is_mask = "ab".index(name[-1]), name.startswith("mask")
        channels = 1 if is_mask else self.channels[domain]
        if split.draw:
            return _drawn(split, size, channels, self.image_size)
        given, pixels = (None, None) if is_mask else (self.ranges[domain], self.formats[domain])

        def decode(number, source):
            if isinstance(source, np.ndarray):
                image = as_kept(source, pixels, "It")
            elif pixels:
                image = open_image(source, channels, self.max_pixels, pixels).pixels
            else:
                image = open_native(source, channels, self.max_pixels)
            if is_mask and image.dtype != np.uint8:
                raise ValueError(f"{source} is a mask of {image.dtype}; expected 8 bits.")
            if given == "image":
                image = spread(image, per_image_format(image.dtype.name, channels))
            measured = given is not None or image.dtype != np.uint8
            statistics = measure(image, number, split.count) if measured else None
            if size is None:
                resize_image(image, self.image_size, "crop")  # raises for what is too small
                return image, statistics
            return resize_image(image, size, self.resize, is_mask), statistics

        made = f"{split.key}\n{self.resize} {size} {channels} {given == 'image'} {is_mask}"
        name = hashlib.sha256(made.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        path = os.path.join(self.cache_folder or cache_folder() / "images", name)
        stored = _store_images(split, decode, on_error, path, self.memory_left)
        if not isinstance(stored.images.values, np.memmap):
            self.memory_left -= stored.images.values.nbytes
        return stored


def _drawn(split, size, channels, image_size):
    array = split.draw(image_size, channels)
    rows, columns = (n - m for n, m in zip(size, image_size, strict=True))
    border = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
    return Stored(Images(np.pad(array, border, constant_values=255)), list(range(split.count)))


def _store_images(split, decode, on_error, path, memory_limit):
    """Decode all images of a split, so that bad files are found before training, not in it.

    `decode` maps the number of an image and what its record holds to an array and its `Statistics`
    or None, or raises a ValueError. What takes more bytes than `memory_limit` goes to files that
    begin with `path`, which are used again.
    """
    if earlier := _read(path):
        missing = split.count - len(earlier.kept)
        if missing and on_error == "skip":
            warnings.warn(
                f"{missing} of {split.count} images of {split.title} were bad and skipped when "
                f"{path}.pixels was made. Remove it to see their names.",
                stacklevel=2,
            )
        if not missing or on_error == "skip":
            return earlier
    numbers, shapes, statistics = [], [], []

    def decoded():
        for number, image, measured in _decoded(split, decode, on_error):
            numbers.append(number)
            shapes.append(image.shape)
            statistics.append(measured)
            yield image.reshape(-1)

    found, size, images = [], 0, decoded()
    for image in images:
        found.append(image)
        size += image.nbytes
        if size > memory_limit:
            break
    else:
        summary = merged(statistics) if statistics[0] else None
        return Stored(_images(np.concatenate(found), shapes), numbers, summary)
    with atomic_file(f"{path}.pixels") as unfinished, open(unfinished, "wb") as file:
        for image in itertools.chain(found, images):
            file.write(image)
    about = {"kept": numbers, "dtype": found[0].dtype.name, "shapes": shapes}
    about |= merged(statistics)._asdict() if statistics[0] else {}
    with atomic_file(f"{path}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **about)
    return _read(path)


def _images(values, shapes):
    return Images(values, np.asarray(shapes)[:, :2], int(shapes[0][2]))


def _read(path):
    """Return what was stored in files that begin with `path`, or None."""
    if not (os.path.exists(f"{path}.pixels") and os.path.exists(f"{path}.npz")):
        return None
    with np.load(f"{path}.npz") as file:
        about = dict(file)
    values = np.memmap(f"{path}.pixels", str(about["dtype"]), mode="r")
    statistics = Statistics(*(about[n] for n in Statistics._fields)) if "low" in about else None
    return Stored(_images(values, about["shapes"]), about["kept"].tolist(), statistics)


def _decoded(split, decode, on_error):
    """Yield number, image and statistics of good images in order; at the end, tell the bad ones."""

    def attempt(numbered):
        number, (name, source) = numbered
        try:
            return number, name, *decode(number, source)
        except (ImportError, ValueError, OSError) as error:
            return number, named(name, error), None, None

    bad, dtype, records = [], None, enumerate(split.records())
    about = {"desc": split.title, "unit": "image", "disable": split.count < PROGRESS_FROM}
    with (
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=split.count, **about) as bar,
    ):
        while chunk := list(itertools.islice(records, CHUNK)):
            for number, text, image, statistics in pool.map(attempt, chunk):
                if image is None:
                    bad.append(text)
                elif image.dtype == (dtype := dtype or image.dtype):
                    yield number, image, statistics
                else:
                    bad.append(f"{text}: it holds {image.dtype}, the images before it {dtype}")
            bar.update(len(chunk))
    if not bad:
        return
    listing = "\n".join(bad[:MAX_NAMED]) + ("\n…" if len(bad) > MAX_NAMED else "")
    if on_error != "skip" or len(bad) == split.count:
        raise UnusableImagesError(
            f"{len(bad)} of {split.count} images of {split.title} can't be used:\n{listing}"
        )
    warnings.warn(
        f"Skipped {len(bad)} of {split.count} images of {split.title}:\n{listing}", stacklevel=3
    )
