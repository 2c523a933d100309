"""Loads images of every source: datasets for training, and whole sets for measuring scores."""

from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike, check_choice
from keras_cyclegan.data import batches
from keras_cyclegan.data.folders import take
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import as_format
from keras_cyclegan.data.ranges import check_range, find_format
from keras_cyclegan.data.resize import RESIZES
from keras_cyclegan.data.sources import Splits, find_pair, find_splits
from keras_cyclegan.data.store import Decoder


def load(
    source: PathLike | tuple[Any, Any],
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 1,
    load_size: int | tuple[int, int] | None = None,
    resize: str = "stretch",
    channels: int | tuple[int, int] = 3,
    flip: bool | str | None = None,
    seed: int | None = None,
    steps_per_epoch: int | None = None,
    validation_split: float = 0.0,
    on_error: str = "raise",
    memory_limit: int = 2 * 2**30,
    cache_folder: PathLike | None = None,
    process_share: tuple[int, int] = (0, 1),
    range_a: Any = None,
    range_b: Any = None,
    unit_a: str = "",
    unit_b: str = "",
    group_by: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Any, Any]:
    """Load unpaired images for training, and pairs of images for validation.

    Zhu et al. 2017, appendix 7.1. Every image is decoded and resized once, before this returns, so
    that unusable files are found now and not hours later.

    Args:
        source: one of

            - a folder with the sub-folders `trainA` and `trainB`, and perhaps `testA` and `testB`;
              masks (`maskA`, `maskB`) and pairs (`pairA`, `pairB`) of the same names ride along, in
              batches that are dicts;
            - two folders, `(a, b)`, or two files of many images: a TIFF of several pages, a NumPy
              file, `"FILE.h5:/NAME"`, a NIfTI, MetaImage or DICOM volume, whose slices are images;
            - two arrays of images, `(n, height, width, channels)`;
            - `"tfds:NAME"`, a dataset of tensorflow-datasets: `"tfds:cycle_gan/horse2zebra"`;
            - `"glyphs"`, the embedded set, offline: letters and numbers in DejaVu Sans (A) and in
              DejaVu Serif Bold Italic (B), in training none in both; validation is paired.
        image_size: int or `(height, width)`, multiples of 4, of the images in a batch. None: 256,
            and 32 for glyphs.
        batch_size, seed, steps_per_epoch, process_share: as in `unpaired_dataset`.
        load_size: int or `(height, width)` that training images are resized to, before `image_size`
            is cut out at random. None: `image_size * 286 / 256`, as in the paper. Glyphs get a
            white border up to this size instead.
        resize: `"stretch"` (the paper's), `"cover"` (keeps the aspect ratio, and cuts the longer
            side off) or `"crop"` (cuts windows out of the whole image, or out of its centre of
            `load_size` if that is given). Validation images are brought to `image_size` likewise.
        channels: int, or `(channels_a, channels_b)`. JPEG, PNG, WebP and BMP have 1 or 3.
        flip: as in `unpaired_dataset`. None: True, but for glyphs.
        validation_split: float in [0, 1). Fraction of the images of each domain to keep for
            validation where there are none, chosen by their names.
        on_error: `"raise"`, or `"skip"`: leave out unusable images, with a warning.
        memory_limit: int. Bytes of decoded images to keep in memory; more are kept on disk.
        cache_folder: path of the folder on disk, whose files are used again unless the images have
            changed. None: `keras_cyclegan/images` in `KERAS_HOME` or `~/.keras`.
        range_a, range_b: the values that become -1 and 1: `(low, high)`, two numbers or two tuples
            with one for each channel; `"auto"`, the 0.5 and 99.5 % quantiles over all images of the
            domain (`"auto_per_channel"`: of each channel); or `"image"`, each image's own lowest
            and highest value, which can't be undone. None: all that 8 or 16 bits hold; a set of
            16 bits that uses less than an eighth of that, and one of floats, is refused.
        unit_a, unit_b: string: the unit of the values, such as `"HU"`, for tables.
        group_by: regular expression. With `validation_split`, images whose names agree in its first
            group (or in all that it matches, without groups) stay on one side: slices of a patient,
            frames of a film. None: all pages of a file.
        max_pixels: int. Larger files are refused, see `decode_image`.

    Returns:
        `(train, validation)`: an `unpaired_dataset` and a `paired_dataset`, or `None` where there
        are no images for it. `train.pixels_a` and `train.pixels_b` say what the values mean.

    Raises:
        FileNotFoundError, ValueError: a folder is missing or empty, images can't be used, or an
            argument doesn't fit.
        RuntimeError: a dataset of tensorflow-datasets can't be had.
    """
    check_choice("resize", resize, RESIZES)
    check_choice("on_error", on_error, ("raise", "skip"))
    batches.check_sampling(batch_size, steps_per_epoch, seed)
    ranges = check_range("range_a", range_a), check_range("range_b", range_b)
    channels = check_channels(channels)
    splits = find_splits(source, channels, validation_split, group_by)
    drawn = splits.train_a.draw is not None
    if image_size is None:
        image_size = 32 if drawn else 256
    image_size = batches.as_size(image_size, "image_size")
    load_size = _load_size(load_size, image_size, resize == "crop" and not drawn)
    flip = batches.as_flip(not drawn if flip is None else flip, image_size)

    decoder = Decoder(
        channels, image_size, resize, max_pixels, on_error, cache_folder, memory_limit, ranges
    )
    sizes = [load_size] * 2 + [image_size] * 2
    stored = decoder.decode(zip(Splits._fields, splits, sizes, strict=False))
    formats = [
        find_format(domain, split.title, stored[f"train_{domain}"], given, unit)
        for domain, split, given, unit in zip("ab", splits, ranges, (unit_a, unit_b), strict=False)
    ]

    def riding_along(companions, part, size):
        wanted = []
        for name, split in (companions or {}).items():
            if name.startswith("mask"):
                split = take(split, stored[f"{part}_{name[-1]}"].kept)
            wanted.append((name, split, size))
        found = decoder.decode(wanted, "raise")  # none of these can be left out
        return {name: each.images for name, each in found.items()}

    companions = riding_along(splits.companions, "train", load_size)
    images = stored["train_a"].images, stored["train_b"].images
    sampling: Any = flip, seed, steps_per_epoch, process_share, companions, *formats
    train = batches.unpaired_dataset(*images, image_size, batch_size, *sampling)
    if splits.test_a is None:
        return train, None
    companions = riding_along(splits.test_companions, "test", image_size)
    images = stored["test_a"].images, stored["test_b"].images
    return train, batches.paired_dataset(*images, batch_size, companions, *formats)


def _load_size(load_size, image_size, whole):
    """Return `(height, width)`, or None for images that are kept whole."""
    if load_size is None:
        return None if whole else tuple(round(n * 286 / 256) for n in image_size)
    load_size = batches.as_size(load_size, "load_size", multiple=1)
    if any(n < m for n, m in zip(load_size, image_size, strict=True)):
        raise ValueError(
            f"load_size={load_size} can't be smaller than image_size={image_size}, cut out of it."
        )
    return load_size


def check_channels(channels):
    """Return `(channels_a, channels_b)` of an int or a pair."""
    pair = tuple(channels) if isinstance(channels, (tuple, list)) else (channels, channels)
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise ValueError(f"`channels` is an int or (A's, B's). Received channels={channels!r}.")
    return pair


class ImageSets(NamedTuple):
    """All images of both domains, `(n, height, width, channels)`; `paired`: `b[i]` is the truth."""

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
    """Load all images of one split, in order and stretched to one size, to measure scores on them.

    Args:
        source: a folder with `testA` and `testB`, `"tfds:NAME"`, or `"glyphs"`.
        image_size, channels, max_pixels: as in `load`.
        split: `"test"` or `"train"`.
        paired: bool. Whether `b[i]` is the ground truth of `a[i]`. None: where both folders hold
            the same names, apart from a final `_A` and `_B`, and in the glyphs.
        pixels_a, pixels_b: `PixelFormat` that images must have. None: 8 bits.
    """
    size = batches.as_size(image_size, "image_size")
    channels = check_channels(channels)
    check_choice("split", split, ("test", "train"))
    formats = as_format(pixels_a, channels[0]), as_format(pixels_b, channels[1])
    *splits, aligned = find_pair(source, channels, split)
    decoder = Decoder(channels, size, max_pixels=max_pixels, formats=formats)
    stored = decoder.decode(zip("ab", splits, (size, size), strict=True))
    a, b = (each.images.as_array() for each in stored.values())
    if paired and aligned is None:
        raise ValueError(
            f"{source} can't be paired: tensorflow-datasets shuffles each domain by itself. Give "
            "the folder of its images."
        )
    if paired and len(a) != len(b):
        raise ValueError(
            f"Pairs need as many images of A as of B. Received {len(a)} and {len(b)} in {source}."
        )
    return ImageSets(a, b, bool(aligned) if paired is None else paired)


def image_names(source, split="test"):
    """Name each image of `load_sets`, of A and of B: paths in the folder, or characters."""
    return [found.names for found in find_pair(source, name=split)[:2]]
