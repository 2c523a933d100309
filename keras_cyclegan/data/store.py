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
from keras_cyclegan.data.ranges import Measure, Statistics
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.untrusted import printable

logger = logging.getLogger(__name__)

PROGRESS_FROM = 500  # images; a progress bar isn't worth it for fewer
MAX_NAMED = 10  # bad files that a message names


class UnusableImagesError(ValueError):
    """Raised when images can't be used; the message counts and names them."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The encoded images of one domain, in a folder or in a split of a dataset.

    Attributes:
        title: its name in messages.
        key: a string that changes when the images change.
        count: the number of images.
        records: function that returns an iterable of `(name, what to decode)`.
        names: list of the images' names, without the folder.
        draw: function of `(size, channels)` that makes all images as an array, for images that
            aren't decoded; else None.
    """

    title: str
    key: str
    count: int
    records: Callable[[], Iterable]
    names: list[str]
    draw: Callable | None = None


class Stored(NamedTuple):
    """Decoded images.

    Attributes:
        images: `Images`.
        kept: list of the numbers of those that could be used.
        statistics: `Statistics`, or None for images of 8 bits.
    """

    images: Images
    kept: list[int]
    statistics: Statistics | None = None


def store_images(
    split, decode, on_error="raise", disk=None, memory_limit=np.inf, least_bytes=0, measured=False
):
    """Decode all images of a split, so that bad files are found before training, not in it.

    Args:
        split: `Split`.
        decode: maps what a record holds to an array `(height, width, channels)` as it is measured,
            and one as it is kept, or raises ValueError.
        on_error: `"raise"`, or `"skip"`: leave bad images out, and warn with their number and
            names.
        disk: function that returns the path, without suffix, of files for arrays of more bytes than
            `memory_limit`. They are used again if they are there.
        memory_limit: float. Bytes that are kept in memory.
        least_bytes: int. Bytes that the images will take at least.
        measured: bool. Whether 8 bits too get statistics.

    Returns:
        `Stored`.

    Raises:
        UnusableImagesError: images are bad (all of them are counted, the first ones named). It is
            a `ValueError`.
    """
    if least_bytes > memory_limit and (stored := _read(disk(), split, on_error)):
        return stored
    found, size = [], 0
    summary = _Summary(split, measured)
    images = _decoded(split, decode, on_error, summary)
    for image in images:
        found.append(image)
        size += image.nbytes
        if max(size, least_bytes) > memory_limit:
            break
    else:
        return summary.stored(np.concatenate([image.reshape(-1) for image in found]))

    path = disk()
    if stored := _read(path, split, on_error):
        return stored
    with atomic_file(f"{path}.pixels") as unfinished, open(unfinished, "wb") as file:
        for image in itertools.chain(found, images):
            file.write(np.ascontiguousarray(image))
        found.clear()
    stored = summary.stored(np.memmap(f"{path}.pixels", summary.dtype, mode="r"))
    with atomic_file(f"{path}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(
            file,
            dtype=summary.dtype,
            sizes=stored.images.sizes,
            channels=stored.images.channels,
            kept=stored.kept,
            **(stored.statistics._asdict() if stored.statistics else {}),
        )
    return stored


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
    images = Images(values, about["sizes"], int(about["channels"]))
    statistics = Statistics(*(about[n] for n in Statistics._fields)) if "low" in about else None
    return Stored(images, about["kept"].tolist(), statistics)


class _Summary:
    """What is noted of the images while they are decoded."""

    def __init__(self, split, measured):
        self.measured = measured
        self.measure = Measure(split.count)
        self.dtype, self.channels, self.sizes, self.kept = None, None, [], []

    def add(self, number, original, image):
        if self.dtype is None:
            self.dtype, self.channels = image.dtype.name, image.shape[2]
            self.measured |= self.dtype != "uint8"
        if image.dtype != self.dtype:
            raise ValueError(
                f"it holds {image.dtype}, the images before it {self.dtype}: bring them to one kind"
            )
        if self.measured:
            self.measure.add(original)
        self.sizes.append(image.shape[:2])
        self.kept.append(number)

    def stored(self, values):
        images = Images(values, self.sizes, self.channels)
        return Stored(images, self.kept, self.measure.result() if self.measured else None)


def _decoded(split, decode, on_error, summary):
    """Yield the good images in order; at the end, raise or warn about the bad ones."""

    def attempt(record):
        name, source = record
        try:
            return decode(source)
        except (ImportError, ValueError, OSError) as error:
            text = printable(error)
            return text if name in text else f"{name}: {text}"

    bad = []
    bar = None
    if split.count >= PROGRESS_FROM:
        bar = keras.utils.Progbar(split.count, unit_name="image")
        logger.info("Decoding %d images of %s", split.count, split.title)
    records = enumerate(split.records())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # In chunks, so that few images wait in memory to be decoded or stored.
        while chunk := list(itertools.islice(records, 64)):
            made = pool.map(attempt, [record for _, record in chunk])
            for (number, (name, _)), images in zip(chunk, made, strict=True):
                if not isinstance(images, str):
                    try:
                        summary.add(number, *images)
                    except ValueError as error:
                        images = f"{name}: {error}"
                if isinstance(images, str):
                    bad.append(images)
                else:
                    yield images[1]
            if bar is not None:
                bar.add(len(chunk))
    if not bad:
        return
    listing = "\n".join(bad[:MAX_NAMED]) + ("\n…" if len(bad) > MAX_NAMED else "")
    if on_error == "skip" and len(bad) < split.count:
        warnings.warn(
            f"Skipped {len(bad)} of {split.count} images of {split.title}:\n{listing}",
            stacklevel=3,
        )
        return
    raise UnusableImagesError(
        f"{len(bad)} of {split.count} images of {split.title} can't be used:\n{listing}"
    )
