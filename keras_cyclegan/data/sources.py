"""Where images come from: one table of sources, each of which gives `Split`s."""

import numbers
import os
import pathlib
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from keras_cyclegan.data.folders import find_split, hold_out, matching
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs
from keras_cyclegan.data.store import Split
from keras_cyclegan.data.tfds import tfds_splits
from keras_cyclegan.files.untrusted import printable


class Splits(NamedTuple):
    """The images of a source.

    Attributes:
        train_a, train_b: `Split` of each domain.
        test_a, test_b: the same for validation, or None.
        companions: dict from names such as `"mask_a"` to the `Split` that rides along with
            training images.
        test_companions: the same for validation.
    """

    train_a: Split
    train_b: Split
    test_a: Split | None = None
    test_b: Split | None = None
    companions: Mapping[str, Split] = MappingProxyType({})
    test_companions: Mapping[str, Split] = MappingProxyType({})


class Source:
    """What gives images; the kinds below stand in `SOURCES`.

    Attributes:
        image_size: int, the size of training images where none is given.
        flip: bool, whether they are mirrored where nothing else is said.
        drawn: bool, whether they are made in their size, not decoded.
    """

    image_size = 256
    flip = True
    drawn = False

    def __init__(self, given, channels=(3, 3), validation_split=0.0, group_by=None):
        self.given = given
        self.channels = channels
        self.validation_split = validation_split
        self.group_by = group_by
        if not isinstance(validation_split, numbers.Real) or not 0.0 <= validation_split < 1.0:
            raise ValueError(f"`validation_split` is in [0, 1). Received: {validation_split!r}.")
        if validation_split and type(self) is not Folders:
            raise ValueError(
                f"{given!r:.40} has validation data of its own. Received: "
                f"validation_split={validation_split}."
            )

    def pair(self, name):
        """Return the `Split`s of both domains; `name` is `"train"` or `"test"`."""
        splits = self.splits()
        return (splits.train_a, splits.train_b) if name == "train" else splits[2:4]

    def aligned(self, name):
        """Return whether the images of A and B in `pair(name)` show the same, one by one."""
        return False


class Glyphs(Source):
    """The embedded letters and numbers, which aren't mirrored."""

    image_size = 32
    flip = False
    drawn = True

    @staticmethod
    def takes(source):
        return isinstance(source, str) and source == "glyphs"

    def splits(self):
        train_a, train_b, test = glyph_characters()
        drawn = (train_a, "a"), (train_b, "b"), (test, "a"), (test, "b")
        return Splits(*(_glyph_split(*each) for each in drawn))

    def aligned(self, name):
        return name == "test"


def _glyph_split(characters, domain):
    def draw(size, channels):
        if size[0] != size[1]:
            raise ValueError(f"Glyphs are square. Received: image_size={size[0]}×{size[1]}.")
        return render_glyphs(characters, domain, size[0], channels)

    return Split(f"glyphs {domain}", "", len(characters), list, list(characters), draw)


class Tfds(Source):
    """A dataset of tensorflow-datasets, `"tfds:NAME"`. It shuffles each domain by itself."""

    @staticmethod
    def takes(source):
        return isinstance(source, str) and source.startswith("tfds:")

    def splits(self):
        return Splits(*tfds_splits(self.given.removeprefix("tfds:")))

    def aligned(self, name):
        return None  # it can't be known


class Arrays(Source):
    """Two arrays of images, `(n, height, width, channels)` each."""

    @staticmethod
    def takes(source):
        return isinstance(source, tuple) and all(isinstance(x, np.ndarray) for x in source)

    def splits(self):
        return Splits(*(_array_split(a, f"array {i}") for i, a in enumerate(self.given)))


def _array_split(images, title):
    names = [f"image {i}" for i in range(len(images))]
    key = f"{images.shape} {zlib.crc32(np.ascontiguousarray(images))}"
    return Split(title, key, len(images), lambda: zip(names, images, strict=True), names)


class Folders(Source):
    """A folder with `trainA` and `trainB`, or two folders or files of many images."""

    @staticmethod
    def takes(source):
        return True

    def splits(self):
        train, tests, root = self._places()
        found = [find_split(place, n) for place, n in zip(train, self.channels, strict=True)]
        if tests is None:
            halves = [hold_out(split, self.validation_split, self.group_by) for split in found]
            found, held_out = zip(*halves, strict=True)
        else:
            if self.validation_split:
                raise ValueError(
                    f"{self.given} has testA and testB: they are the validation data. "
                    f"Received: validation_split={self.validation_split}."
                )
            held_out = [find_split(place, n) for place, n in zip(tests, self.channels, strict=True)]
        return Splits(
            *found, *held_out, self._companions(root, found), self._companions(root, held_out, True)
        )

    def _companions(self, root, splits, is_test=False):
        """Find the folders beside the images that ride along: masks of both, and pairs."""
        found = {}
        for domain, split in zip("AB", splits, strict=True):
            masks = root and root / f"mask{domain}"
            if masks and masks.is_dir() and split:
                found[f"mask_{domain.lower()}"] = matching(split, find_split(masks))
        pairs = [root / f"pair{domain}" for domain in "AB"] if root and not is_test else []
        if any(pair.is_dir() for pair in pairs):
            pair_a, pair_b = (
                find_split(pair, n) for pair, n in zip(pairs, self.channels, strict=True)
            )
            matching(pair_b, pair_a)  # the same names on both sides
            found |= {"pair_a": pair_a, "pair_b": matching(pair_a, pair_b)}
        return found

    def _places(self):
        """Return the places of both domains, those of validation, and the folder, or None."""
        if isinstance(self.given, (tuple, list)):
            if len(self.given) != 2:
                raise ValueError(
                    f"Expected two folders, (a, b). Received {len(self.given)}: {self.given!r}."
                )
            return self.given, None, None
        if not isinstance(self.given, (str, os.PathLike)):
            raise ValueError(f"Expected a folder, or two folders (a, b). Received: {self.given!r}.")
        root = pathlib.Path(self.given)
        train, tests = ([root / f"{name}{domain}" for domain in "AB"] for name in ("train", "test"))
        if not all(place.is_dir() for place in train):
            raise FileNotFoundError(
                f"{printable(root)} must be a folder with sub-folders trainA and trainB (and testA "
                f"and testB for validation). Found: {_found(root)}. Two folders of other names are "
                'given as a pair: load(("photos", "paintings")); other sources are "glyphs" and '
                '"tfds:NAME".'
            )
        if tests[0].is_dir() != tests[1].is_dir():
            raise ValueError(
                f"{root} has only one of testA and testB. Validation needs both: add the other, or "
                "remove or rename this one."
            )
        return train, tests if tests[0].is_dir() else None, root

    def pair(self, name):
        root = pathlib.Path(self.given)
        folders = [root / f"{name}{domain}" for domain in "AB"]
        missing = [str(folder) for folder in folders if not folder.is_dir()]
        if missing:
            raise FileNotFoundError(
                f"Scores are measured on {folders[0]} and {folders[1]}. There is no folder "
                f"{' and no '.join(missing)}."
            )
        return [find_split(folder, n) for folder, n in zip(folders, self.channels, strict=True)]

    def aligned(self, name):
        """Return whether both folders hold the same names, apart from a final _A and _B."""
        names = [[_bare(name) for name in split.names] for split in self.pair(name)]
        return names[0] == names[1]


SOURCES = (Glyphs, Tfds, Arrays, Folders)


def find_source(given, channels=(3, 3), validation_split=0.0, group_by=None):
    """Return the source that `given` names; see `load`."""
    kind = next(kind for kind in SOURCES if kind.takes(given))
    return kind(given, channels, validation_split, group_by)


def _bare(name):
    return re.sub(r"_[AB]$", "", pathlib.PurePath(name).stem)


def _found(root):
    if root.is_file():
        return "a file"
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return (
        ", ".join(map(printable, names[:8])) + (", …" if len(names) > 8 else "") or "nothing there"
    )
