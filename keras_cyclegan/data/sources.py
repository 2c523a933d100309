"""Where images come from: glyphs, tensorflow-datasets, folders, files of many images, arrays."""

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
from keras_cyclegan.data.tfds import tfds_splits
from keras_cyclegan.files.untrusted import listing, printable


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
        splits = Splits(*tfds_splits(given.removeprefix("tfds:")), aligned=None)
    elif _is_folder(given):
        splits = Splits(*_of_folder(pathlib.Path(given), channels))
    elif isinstance(given, (tuple, list)) and len(given) == 2:
        splits = Splits(*_find(given, channels))
    else:
        raise ValueError(f"Expected a folder, or two folders (a, b). Received {given!r}.")
    if validation_split:
        if splits.test_a is not None:
            raise ValueError(
                f"{given!r:.99} has validation data of its own, such as testA and testB. Received "
                f"validation_split={validation_split}."
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
    folders = _named(given, name)
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise FileNotFoundError(
            f"Scores are measured on {folders[0]} and {folders[1]}. There is no folder "
            f"{' and no '.join(missing)}."
        )
    splits = _find(folders, channels)
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
        found = listing([printable(name) for name in inside]) or "nothing there"
        raise FileNotFoundError(
            f"{printable(root)} must be a folder with sub-folders trainA and trainB (and testA and "
            f"testB for validation). Found: {'a file' if root.is_file() else found}. Two folders "
            'of other names are given as a pair; other sources are "glyphs" and "tfds:NAME".'
        )
    if test[0].is_dir() != test[1].is_dir():
        raise ValueError(
            f"{root} has only one of testA and testB. Validation needs both: add the other, or "
            "remove or rename this one."
        )
    return [*_find(train, channels), *(_find(test, channels) if test[0].is_dir() else [])]


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
