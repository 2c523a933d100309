"""Whole sets of images, in order and without random crops, for measuring scores."""

from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike, check_choice
from keras_cyclegan.data.batches import as_size
from keras_cyclegan.data.load import check_channels
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import as_format
from keras_cyclegan.data.prepare import Decoder
from keras_cyclegan.data.sources import find_source


class ImageSets(NamedTuple):
    """All images of both domains.

    Attributes:
        a: array `(n, height, width, channels)`, uint8 or the dtype of its `PixelFormat`.
        b: the same of domain B. Their number may differ.
        paired: bool. Whether `b[i]` is the ground truth of `a[i]`.
    """

    a: np.ndarray
    b: np.ndarray
    paired: bool


def load_sets(
    source: PathLike,
    image_size: int | tuple[int, int],
    channels: int | tuple[int, int] = (3, 3),
    split: str = "test",
    paired: bool | None = None,
    pixels_a: Any = None,
    pixels_b: Any = None,
    max_pixels: int = MAX_PIXELS,
) -> ImageSets:
    """Load all images of one split of both domains, to measure scores on them.

    Args:
        source: a folder with `testA` and `testB`, `"tfds:NAME"`, or `"glyphs"`: see `load`.
        image_size: int or `(height, width)`, multiples of 4. Images are stretched to it by Pillow,
            bicubic, whatever their aspect ratio.
        channels: int, or `(channels_a, channels_b)`; (3, 3) by default.
        split: `"test"` (the default) or `"train"`.
        paired: bool. Whether `b[i]` is the ground truth of `a[i]`. None, the default: it is where
            both folders hold the same names, apart from a final `_A` and `_B`, and in the glyphs'
            test set.
        pixels_a: `PixelFormat` that the images of A must have. None, the default: 8 bits.
        pixels_b: the same for domain B.
        max_pixels: int, 60,000,000 by default; see `load`.

    Returns:
        `ImageSets`, a tuple `(a, b, paired)` of two arrays `(n, height, width, channels)` and a
        bool.

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
    channels = check_channels(channels)
    check_choice("split", split, ("test", "train"))
    found = find_source(source, channels)
    formats = [as_format(p, n) for p, n in zip((pixels_a, pixels_b), channels, strict=True)]
    decoder = Decoder(max_pixels=max_pixels, formats=formats)
    images = [
        stored.images.as_array()
        for stored in decoder.decode(found.pair(split), [size] * 2, channels, size)
    ]
    aligned = found.aligned(split)
    if paired and aligned is None:
        raise ValueError(
            f"{source} can't be paired: tensorflow-datasets shuffles each domain by itself. Give "
            "the folder of its images."
        )
    if paired and len(images[0]) != len(images[1]):
        raise ValueError(
            f"Pairs need as many images of A as of B. Received {len(images[0])} and "
            f"{len(images[1])} in {source}."
        )
    return ImageSets(images[0], images[1], bool(aligned) if paired is None else paired)


def image_names(source, split="test"):
    """Name each image of `load_sets`, of both domains.

    Args:
        source: see `load_sets`.
        split: `"test"` or `"train"`.

    Returns:
        Two lists of strings, as long as the sets: paths below the domain's folder, characters, or
        the numbers that tensorflow-datasets gives.
    """
    return [found.names for found in find_source(source).pair(split)]
