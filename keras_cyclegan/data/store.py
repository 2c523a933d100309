"""Decodes many images to one uint8 array, in memory or in a file that is mapped into memory."""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import logging
import os
import warnings
from collections.abc import Callable, Iterable

import keras
import numpy as np

from keras_cyclegan.files.atomic import atomic_file

logger = logging.getLogger(__name__)

PROGRESS_FROM = 500  # images; a progress bar isn't worth it for fewer
MOST_NAMED = 10  # bad files that a message names


class UnusableImagesError(ValueError):
    """Raised when images can't be used; the message counts and names them."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The encoded images of one domain, in a folder or in a split of a dataset.

    Attributes:
        title: its name in messages.
        key: a string that changes when the images change.
        count: the number of images.
        records: function that returns an iterable of `(name, path or binary file)`.
    """

    title: str
    key: str
    count: int
    records: Callable[[], Iterable]


def store_images(split, decode, shape, on_error="raise", cache_folder=None, recipe=""):
    """Decode all images of a split, so that bad files are found before training, not in it.

    Args:
        split: `Split`.
        decode: maps a path or binary file to a uint8 array of `shape`, or raises ValueError.
        shape: `(height, width, channels)`.
        on_error: `"raise"`, or `"skip"`: leave bad images out, and warn with their number and
            names.
        cache_folder: folder on disk for the array; `None` keeps it in memory. A file there that was
            made from the same images with the same `recipe` is used again.
        recipe: string that names what `decode` does.

    Returns:
        uint8 array or `numpy.memmap`, `(n, *shape)`.

    Raises:
        UnusableImagesError: images are bad (all of them are counted, the first ones named). It is
            a `ValueError`.
    """
    if cache_folder is None:
        array, kept = np.empty((split.count, *shape), "uint8"), 0
        for image in _decoded(split, decode, on_error):
            array[kept] = image
            kept += 1
        return array[:kept]

    name = hashlib.sha256(f"{split.key}\n{shape}\n{recipe}".encode()).hexdigest()[:32]
    path = os.path.join(cache_folder, f"{name}.uint8")
    if os.path.exists(path):
        array = np.memmap(path, "uint8", mode="r").reshape(-1, *shape)
        missing = split.count - len(array)
        if missing and on_error == "skip":
            warnings.warn(
                f"{missing} of {split.count} images of {split.title} were bad and skipped when "
                f"{path} was made. Remove it to see their names.",
                stacklevel=2,
            )
        if not missing or on_error == "skip":
            return array

    with atomic_file(path) as unfinished, open(unfinished, "wb") as file:
        for image in _decoded(split, decode, on_error):
            file.write(np.ascontiguousarray(image))
    return np.memmap(path, "uint8", mode="r").reshape(-1, *shape)


def _decoded(split, decode, on_error):
    """Yield the good images in order; at the end, raise or warn about the bad ones."""

    def attempt(record):
        name, source = record
        try:
            return decode(source)
        except (ValueError, OSError) as error:
            return str(error) if name in str(error) else f"{name}: {error}"

    bad = []
    bar = None
    if split.count >= PROGRESS_FROM:
        bar = keras.utils.Progbar(split.count, unit_name="image")
        logger.info("Decoding %d images of %s", split.count, split.title)
    records = iter(split.records())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # In chunks, so that few images wait in memory to be decoded or stored.
        while chunk := list(itertools.islice(records, 64)):
            for image in pool.map(attempt, chunk):
                if isinstance(image, str):
                    bad.append(image)
                else:
                    yield image
            if bar is not None:
                bar.add(len(chunk))
    if not bad:
        return
    listing = "\n".join(bad[:MOST_NAMED]) + ("\n…" if len(bad) > MOST_NAMED else "")
    if on_error == "skip" and len(bad) < split.count:
        warnings.warn(
            f"Skipped {len(bad)} of {split.count} images of {split.title}:\n{listing}",
            stacklevel=3,
        )
        return
    raise UnusableImagesError(
        f"{len(bad)} of {split.count} images of {split.title} can't be used:\n{listing}"
    )
