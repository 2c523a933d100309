"""Whole sets of images, in order and without random crops, for measuring scores."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike, check_choice
from keras_cyclegan.data.batches import as_size
from keras_cyclegan.data.decode import check_channels
from keras_cyclegan.data.folders import folder_pair
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs
from keras_cyclegan.data.load import decode_splits
from keras_cyclegan.data.tfds import tfds_splits


class ImageSets(NamedTuple):
    """All images of both domains.

    Attributes:
        a: uint8 array `(n, height, width, channels)`.
        b: the same of domain B. Their number may differ.
        paired: bool. Whether `b[i]` is the ground truth of `a[i]`.
    """

    a: np.ndarray
    b: np.ndarray
    paired: bool


def load_sets(
    source: PathLike,
    image_size: int | tuple[int, int],
    channels: tuple[int, int] = (3, 3),
    split: str = "test",
    paired: bool | None = None,
) -> ImageSets:
    """Load all images of one split of both domains, to measure scores on them.

    Args:
        source: a folder with `testA` and `testB`, `"tfds:NAME"`, or `"glyphs"`: see `load`.
        image_size: int or `(height, width)`, multiples of 4. Images are stretched to it by Pillow,
            bicubic, whatever their aspect ratio.
        channels: `(channels_a, channels_b)`, 1 or 3 each; (3, 3) by default.
        split: `"test"` (the default) or `"train"`.
        paired: bool. Whether `b[i]` is the ground truth of `a[i]`. None, the default: it is where
            both folders hold the same names, apart from a final `_A` and `_B`, and in the glyphs'
            test set.

    Returns:
        `ImageSets`, a tuple `(a, b, paired)` of two uint8 arrays `(n, height, width, channels)` and
        a bool.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: images can't be used, or can't be paired.

    Example:

    ```python
    a, b, paired = load_sets("glyphs", 32)
    b.shape  # (192, 32, 32, 3)
    ```
    """
    size = as_size(image_size, "image_size")
    for count in channels:
        check_channels(count)
    check_choice("split", split, ("test", "train"))
    if source == "glyphs":
        images, aligned = _glyphs(size, channels, split), split == "test"
    else:
        if str(source).startswith("tfds:"):
            splits = tfds_splits(str(source).removeprefix("tfds:"))
            splits, aligned = splits[:2] if split == "train" else splits[2:], False
        else:
            splits = folder_pair(source, split)
            aligned = _names(splits[0]) == _names(splits[1])
        images = decode_splits(splits, [size] * 2, channels, "stretch")
    if paired and str(source).startswith("tfds:"):
        raise ValueError(
            f"{source} can't be paired: tensorflow-datasets shuffles each domain by itself. Give "
            "the folder of its images."
        )
    if paired and len(images[0]) != len(images[1]):
        raise ValueError(
            f"Pairs need as many images of A as of B. Received {len(images[0])} and "
            f"{len(images[1])} in {source}."
        )
    return ImageSets(images[0], images[1], aligned if paired is None else paired)


def image_names(source, split="test"):
    """Name each image of `load_sets`, of both domains.

    Args:
        source: see `load_sets`.
        split: `"test"` or `"train"`.

    Returns:
        Two lists of strings, as long as the sets: paths below the domain's folder, characters, or
        the numbers that tensorflow-datasets gives.
    """
    if source == "glyphs":
        return [list(some) for some in _characters(split)]
    if str(source).startswith("tfds:"):
        splits = tfds_splits(source.removeprefix("tfds:"))
        splits = splits[:2] if split == "train" else splits[2:]
        return [[f"example {i}" for i in range(one.count)] for one in splits]
    splits = folder_pair(source, split)
    return [[str(Path(name).relative_to(one.title)) for name, _ in one.records()] for one in splits]


def _characters(split):
    train_a, train_b, test = glyph_characters()
    return (train_a, train_b) if split == "train" else (test, test)


def _glyphs(size, channels, split):
    if size[0] != size[1]:
        raise ValueError(f"Glyphs are square. Received: image_size={size[0]}×{size[1]}.")
    return [
        render_glyphs(some, domain, size[0], count)
        for some, domain, count in zip(_characters(split), "ab", channels, strict=True)
    ]


def _names(split):
    """Return the names without a final _A or _B: 12_A.jpg is paired with 12_B.png."""
    return [re.sub(r"_[AB]$", "", Path(name).stem) for name, _ in split.records()]
