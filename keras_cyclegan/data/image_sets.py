"""Whole sets of images, in order and without crops: what scores are measured on."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.batches import as_size
from keras_cyclegan.data.decode import check_channels
from keras_cyclegan.data.folders import folder_pair
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs
from keras_cyclegan.data.load import decode_split
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
    """Loads all images of one split of both domains.

    Args:
        source: a folder with `testA` and `testB`, `"tfds:NAME"`, or `"glyphs"`: see `load`.
        image_size: int or `(height, width)`, multiples of 4. Images are brought to it by Pillow,
            bicubic, whatever their aspect.
        channels: `(channels_a, channels_b)`, 1 or 3.
        split: `"test"` or `"train"`.
        paired: bool. Whether images at the same place belong together. Left out, they do where
            both folders hold the same names, less a final `_A` and `_B`, and for the glyphs' test
            set.

    Returns:
        `ImageSets`.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: images can't be used, or can't be paired.

    Example:

    ```python
    a, b, paired = load_sets("glyphs", 32)  # (192, 32, 32, 3) each, paired
    ```
    """
    size = as_size(image_size, "image_size")
    for count in channels:
        check_channels(count)
    if split not in ("test", "train"):
        raise ValueError(f'`split` is "test" or "train". Received: {split!r}.')
    if source == "glyphs":
        images, aligned = _glyphs(size, channels, split), split == "test"
    else:
        if str(source).startswith("tfds:"):
            splits = tfds_splits(str(source).removeprefix("tfds:"))
            splits, aligned = splits[:2] if split == "train" else splits[2:], False
        else:
            splits = folder_pair(source, split)
            aligned = _names(splits[0]) == _names(splits[1])
        images = [
            decode_split(part, size, "stretch", count)
            for part, count in zip(splits, channels, strict=True)
        ]
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


def _glyphs(size, channels, split):
    if size[0] != size[1]:
        raise ValueError(f"Glyphs are square. Received: image_size={size[0]}×{size[1]}.")
    train_a, train_b, test = glyph_characters()
    characters = (train_a, train_b) if split == "train" else (test, test)
    return [
        render_glyphs(some, domain, size[0], count)
        for some, domain, count in zip(characters, "ab", channels, strict=True)
    ]


def _names(split):
    """Names without what says the domain: 12_A.jpg is paired with 12_B.png."""
    return [re.sub(r"_[AB]$", "", Path(name).stem) for name, _ in split.records()]
