"""Where images come from: glyphs, tensorflow-datasets, folders, files of many images, arrays."""

import io
import numbers
import os
import pathlib
import re
import zlib
from typing import NamedTuple

import numpy as np

from keras_cyclegan.data.folders import find_split, hold_out, matching
from keras_cyclegan.data.glyphs import glyph_splits
from keras_cyclegan.data.store import Split
from keras_cyclegan.files.untrusted import brief, listing, printable

TFDS_SPLITS = ("trainA", "trainB", "testA", "testB")


class Splits(NamedTuple):
    """The images of a source: a `Split` of each domain, and perhaps for validation."""

    train_a: Split
    train_b: Split
    test_a: Split | None = None
    test_b: Split | None = None
    companions: dict[str, Split] | None = None  # by names such as "mask_a": what rides along
    test_companions: dict[str, Split] | None = None
    aligned: bool | None = False  # whether A and B of validation show the same; None: not known


def find_splits(given, channels=(3, 3), validation_split=0.0, group_by=None):
    """Return the `Splits` of a source; see `load`."""
    if not isinstance(validation_split, numbers.Real) or not 0.0 <= validation_split < 1.0:
        raise ValueError(f"`validation_split` is in [0, 1). Received {validation_split!r}.")
    if isinstance(given, str) and given == "glyphs":
        splits = Splits(*glyph_splits(), aligned=True)
    elif isinstance(given, str) and given.startswith("tfds:"):
        splits = Splits(*_of_tfds(given.removeprefix("tfds:")), aligned=None)
    elif _is_folder(given):
        splits = Splits(*_of_folder(pathlib.Path(given), channels))
    elif isinstance(given, (tuple, list)) and len(given) == 2:
        splits = Splits(*_find(given, channels))
    else:
        raise ValueError(f"Expected a folder, or two folders (a, b). Received {given!r}.")
    if validation_split:
        if splits.test_a is not None:
            raise ValueError(
                f"{given!r:.99} has validation data of its own: leave out `validation_split`."
            )
        halves = [hold_out(split, validation_split, group_by) for split in splits[:2]]
        splits = Splits(*(half[0] for half in halves), *(half[1] for half in halves))
    if _is_folder(given):
        splits = splits._replace(
            companions=_masks(given, splits[:2]) | _pairs(given, channels),
            test_companions=_masks(given, splits[2:4]),
        )
    return splits


def find_pair(given, channels=(3, 3), name="test"):
    """Return the `Split`s of both domains, of "train" or "test", and whether they are aligned."""
    if not _is_folder(given):
        splits = find_splits(given, channels)
        return *(splits[:2] if name == "train" else splits[2:4]), splits.aligned and name == "test"
    splits = _find(_named(given, name), channels)
    bare = [[re.sub(r"_[AB]$", "", pathlib.PurePath(n).stem) for n in s.names] for s in splits]
    return *splits, bare[0] == bare[1]


def _is_folder(given):
    sources = isinstance(given, str) and (given == "glyphs" or given.startswith("tfds:"))
    return isinstance(given, (str, os.PathLike)) and not sources


def _named(root, name):
    return [pathlib.Path(root) / f"{name}{domain}" for domain in "AB"]


def _find(places, channels):
    return [
        _of_array(place) if isinstance(place, np.ndarray) else find_split(place, count)
        for place, count in zip(places, channels, strict=True)
    ]


def _of_array(images):
    names = [f"image {i}" for i in range(len(images))]
    key = f"{images.shape} {zlib.crc32(np.ascontiguousarray(images))}"
    return Split("the array", key, names, lambda: list(zip(names, images, strict=True)))


def _of_folder(root, channels):
    train, test = _named(root, "train"), _named(root, "test")
    if not all(place.is_dir() for place in train):
        inside = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        raise FileNotFoundError(
            f"{printable(root)} must be a folder with sub-folders trainA and trainB. Found: "
            f"{listing([printable(name) for name in inside]) or 'nothing'}. Two folders of other "
            'names are given as a pair; other sources are "glyphs" and "tfds:NAME".'
        )
    has_test = any(place.is_dir() for place in test)
    return [*_find(train, channels), *(_find(test, channels) if has_test else [])]


def _masks(root, splits):
    """Find the masks of images, in folders beside theirs."""
    return {
        f"mask_{domain}": matching(split, find_split(folder))
        for domain, folder, split in zip("ab", _named(root, "mask"), splits, strict=True)
        if folder.is_dir() and split
    }


def _pairs(root, channels):
    """Find pairs of images that ride along, which have the same names on both sides."""
    folders = _named(root, "pair")
    if not any(folder.is_dir() for folder in folders):
        return {}
    pair_a, pair_b = _find(folders, channels)
    matching(pair_b, pair_a)
    return {"pair_a": pair_a, "pair_b": matching(pair_a, pair_b)}


def _of_tfds(name):
    """Return the four `Split`s of a dataset; download it first where it is missing."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except Exception as error:  # of many kinds; for an unknown name with a list of all datasets
        raise RuntimeError(
            f"tensorflow-datasets can't give {name!r}: {brief(error)} "
            f"({type(error).__name__}). Expected a name such as cycle_gan/horse2zebra; without "
            f"internet, give a folder with the images in the folders {', '.join(TFDS_SPLITS)}."
        ) from error
    return tuple(_tfds_split(builder, split) for split in TFDS_SPLITS)


def _tfds_split(builder, split):
    import tensorflow_datasets as tfds

    title = f"{builder.info.full_name} {split}"
    # Left encoded, so that Pillow decodes the images of all sources.
    dataset = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    names = [f"example {i}" for i in range(len(dataset))]

    def records():
        for name, example in zip(names, tfds.as_numpy(dataset), strict=True):
            yield name, io.BytesIO(example["image"])

    return Split(title, title, names, records)
