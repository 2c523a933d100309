"""Decodes many images to one flat array, in memory or in a file that is mapped into memory."""

import concurrent.futures
import dataclasses
import itertools
import logging
import os
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from keras_cyclegan.data.images import Images
from keras_cyclegan.data.ranges import Statistics, merged
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.untrusted import printable

logger = logging.getLogger(__name__)

PROGRESS_FROM = 500  # images; a progress bar isn't worth it for fewer
CHUNK = 64  # few images wait in memory to be decoded or stored
MAX_NAMED = 10  # bad files that a message names


class UnusableImagesError(ValueError):
    """Raised when images can't be used; the message counts and names them."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The encoded images of one domain, in a folder or in a split of a dataset.

    Attributes:
        title: its name in messages.
        key: a string that changes when the images change.
        names: the images' names, without the folder.
        records: function that returns an iterable of `(name, what to decode)`.
        draw: function of `(size, channels)` that makes all images as an array, in place of
            `records`.
    """

    title: str
    key: str
    names: list[str]
    records: Callable[[], Iterable]
    draw: Callable | None = None

    @property
    def count(self):
        return len(self.names)


class Stored(NamedTuple):
    """Decoded images, the numbers of those that could be used, and their `Statistics` or None."""

    images: Images
    kept: list[int]
    statistics: Statistics | None = None


def store_images(split, decode, on_error, path, memory_limit, least_bytes):
    """Decode all images of a split, so that bad files are found before training, not in it.

    Args:
        split: `Split`.
        decode: maps the number of an image and what its record holds to an array `(height, width,
            channels)` and its `Statistics` or None, or raises a ValueError.
        on_error: `"skip"`: leave bad images out, and warn with their number and names.
        path: of files, without suffix, for what takes more bytes than `memory_limit`; they are used
            again if they are there.
        memory_limit, least_bytes: bytes that may be kept in memory, and that there are at least.

    Returns:
        `Stored`.
    """
    if least_bytes > memory_limit and (earlier := _read(path, split, on_error)):
        return earlier
    kept, shapes, statistics = [], [], []

    def decoded():
        for number, image, measured in _decoded(split, decode, on_error):
            kept.append(number)
            shapes.append(image.shape)
            statistics.append(measured)
            yield image

    def stored(values):
        images = Images(values, [shape[:2] for shape in shapes], shapes[0][2])
        return Stored(images, kept, merged(statistics) if statistics[0] else None)

    found, size, images = [], 0, decoded()
    for image in images:
        found.append(image)
        size += image.nbytes
        if max(size, least_bytes) > memory_limit:
            break
    else:
        return stored(np.concatenate([image.reshape(-1) for image in found]))
    if earlier := _read(path, split, on_error):
        return earlier
    with atomic_file(f"{path}.pixels") as unfinished, open(unfinished, "wb") as file:
        for image in itertools.chain(found, images):
            file.write(np.ascontiguousarray(image))
    result = stored(np.memmap(f"{path}.pixels", found[0].dtype, mode="r"))
    about = result.statistics._asdict() if result.statistics else {}
    about |= {"dtype": found[0].dtype.name, "shapes": shapes, "kept": kept}
    with atomic_file(f"{path}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **about)
    return result


def _read(path, split, on_error):
    """Return what an earlier run stored, or None."""
    if not (os.path.exists(f"{path}.pixels") and os.path.exists(f"{path}.npz")):
        return None
    with np.load(f"{path}.npz") as file:
        about = dict(file)
    missing = split.count - len(about["kept"])
    if missing and on_error != "skip":
        return None
    if missing:
        warnings.warn(
            f"{missing} of {split.count} images of {split.title} were bad and skipped when "
            f"{path}.pixels was made. Remove it to see their names.",
            stacklevel=2,
        )
    values = np.memmap(f"{path}.pixels", str(about["dtype"]), mode="r")
    images = Images(values, about["shapes"][:, :2], int(about["shapes"][0, 2]))
    statistics = Statistics(*(about[n] for n in Statistics._fields)) if "low" in about else None
    return Stored(images, about["kept"].tolist(), statistics)


def _decoded(split, decode, on_error):
    """Yield number, image and statistics of good images in order; at the end, tell the bad ones."""

    def attempt(numbered):
        number, (name, source) = numbered
        try:
            return number, name, *decode(number, source)
        except (ImportError, ValueError, OSError) as error:
            text = printable(error)
            return number, text if name in text else f"{name}: {text}", None, None

    bad, dtype, bar = [], None, None
    if split.count >= PROGRESS_FROM:
        bar = keras.utils.Progbar(split.count, unit_name="image")
        logger.info("Decoding %d images of %s", split.count, split.title)
    records = enumerate(split.records())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        while chunk := list(itertools.islice(records, CHUNK)):
            for number, text, image, statistics in pool.map(attempt, chunk):
                if image is None:
                    bad.append(text)
                elif image.dtype == (dtype := dtype or image.dtype):
                    yield number, image, statistics
                else:
                    bad.append(f"{text}: it holds {image.dtype}, the images before it {dtype}")
            if bar is not None:
                bar.add(len(chunk))
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
