"""One function for all sources: folders, tensorflow-datasets, arrays and the embedded glyphs."""

from typing import Any

from keras_cyclegan.arguments import PathLike, check_choice
from keras_cyclegan.data.batches import (
    as_flip,
    as_pair,
    as_size,
    check_sampling,
    paired_dataset,
    unpaired_dataset,
)
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.prepare import Decoder
from keras_cyclegan.data.ranges import check_range, find_format
from keras_cyclegan.data.resize import RESIZES
from keras_cyclegan.data.sources import find_source


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
    that unusable files are found now and not hours later. Order, crops and flips are random and
    change in each epoch.

    Args:
        source: one of

            - a folder with the sub-folders `trainA` and `trainB`, and perhaps `testA` and `testB`;
              with `maskA` or `maskB` (a file for each image, with its name) or `pairA` and `pairB`
              (images that show the same, with the same names) these ride along, and batches are
              dicts;
            - two folders, `(a, b)`, or two files of many images: a TIFF of several pages, a NumPy
              file, `"FILE.h5:/NAME"`, a NIfTI, MetaImage or DICOM volume, whose slices are images;
            - two arrays of images, `(n, height, width, channels)`;
            - `"tfds:NAME"`, a dataset of tensorflow-datasets: `"tfds:cycle_gan/horse2zebra"`;
            - `"glyphs"`, the embedded set: letters and numbers in DejaVu Sans (A) and in DejaVu
              Serif Bold Italic (B). No character is in both training domains; in validation,
              both images of a pair show the same one. It needs no files and no internet.
        image_size: int or `(height, width)`, multiples of 4: the size of the images in a batch.
            None, the default, takes 256, and 32 for glyphs.
        batch_size: int, 1 by default, as in the paper.
        load_size: int or `(height, width)`: the size that training images are resized to, before
            `image_size` is cut out at random. None, the default, takes `image_size * 286 / 256`,
            rounded, as in the paper. Glyphs are not resized but get a white border up to this size
            (2 pixels at 32), so that the cut shifts them.
        resize: `"stretch"` (the default, the paper's: changes the aspect ratio where it must),
            `"cover"` (keeps the aspect ratio, and cuts the longer side off) or `"crop"` (cuts
            windows of `image_size` out of the whole image without resizing, or out of its centre of
            `load_size` if that is given; smaller images are errors). Validation images are brought
            to `image_size` in the same way, without random cuts and flips.
        channels: int, 3 by default, or `(channels_a, channels_b)`. JPEG, PNG, WebP and BMP have 1
            or 3.
        flip: bool, or one of the ways of `unpaired_dataset`, each with probability ½. None, the
            default, mirrors all but glyphs left and right.
        seed: int. Makes order, crops and flips repeatable. None, the default, draws one from
            Python's `random`, which `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. None, the default: as many as the larger domain has whole batches.
        validation_split: float in [0, 1), 0 by default. Fraction of each folder to keep for
            validation where there are no `testA` and `testB`. The choice depends on names only.
        on_error: `"raise"` (the default), or `"skip"`: leave out unusable images, and warn with
            their number and names.
        memory_limit: int, 2 GiB by default. Bytes of decoded images to keep in memory (for a
            moment, it takes twice as many). If there are more, they are kept on disk.
        cache_folder: path of the folder on disk. None, the default, takes `keras_cyclegan/images`
            in `KERAS_HOME` or `~/.keras`. Its files are used again unless the images have changed.
        process_share: `(index, count)`, (0, 1) by default; see `unpaired_dataset`.
        range_a: the values of A's images that become -1 and 1: `(low, high)`, two numbers or two
            tuples with one for each channel; `"auto"`, the 0.5 and 99.5 % quantiles over all images
            of A (`"auto_per_channel"`: of each channel); or `"image"`, each image's own lowest and
            highest value, which can't be undone. What lies beyond is clipped. None, the default:
            all that 8 or 16 bits hold; a set of 16 bits that uses less than an eighth of that, and
            one of floats, is refused with what it found.
        range_b: the same for domain B.
        unit_a: string, `""` by default: the unit of A's values, such as `"HU"`, for tables.
        unit_b: the same for domain B.
        group_by: regular expression. With `validation_split`, images whose names agree in its first
            group stay on one side: slices of a patient, frames of a film. None, the default: each
            file by itself, with all of its pages.
        max_pixels: int, 60,000,000 by default. Files of more pixels are refused, as they could fill
            the memory.

    Returns:
        `(train, validation)`, two `tf.data.Dataset`s of batches `(a, b)`, float32 in [-1, 1]:
        `train` is an `unpaired_dataset`, `validation` a `paired_dataset`, or `None` where there
        are no images for it. `train.pixels_a` and `train.pixels_b` say what the values mean; give
        them to `CycleGAN`, so that it translates to the same units.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder is empty, images can't be used, sizes don't fit, a range is needed, or
            masks or pairs lack names.
        RuntimeError: a dataset of tensorflow-datasets can't be downloaded.

    Example:

    ```python
    train, validation = load("glyphs", batch_size=4, seed=0)
    a, b = next(iter(train))
    a.shape  # (4, 32, 32, 3)
    ```
    """
    check_choice("resize", resize, RESIZES)
    check_choice("on_error", on_error, ("raise", "skip"))
    check_sampling(batch_size, steps_per_epoch, seed)
    ranges = check_range("range_a", range_a), check_range("range_b", range_b)
    channels = check_channels(channels)
    found = find_source(source, channels, validation_split, group_by)
    image_size = as_size(found.image_size if image_size is None else image_size, "image_size")
    load_size = _load_size(load_size, image_size, resize == "crop" and not found.drawn)
    flip = as_flip(found.flip if flip is None else flip, image_size)

    splits = found.splits()
    decoder = Decoder(resize, max_pixels, on_error, cache_folder, memory_limit, ranges)
    sets = decoder.decode(splits[:4], [load_size] * 2 + [image_size] * 2, channels, image_size)
    formats = tuple(
        find_format(*each)
        for each in zip(
            "ab",
            (splits.train_a.title, splits.train_b.title),
            (stored.images.dtype.name for stored in sets[:2]),
            channels,
            (stored.statistics for stored in sets[:2]),
            ranges,
            (unit_a, unit_b),
            strict=True,
        )
    )
    companions = [
        decoder.companions(given, stored, size, image_size, formats)
        for given, stored, size in (
            (splits.companions, sets[:2], load_size),
            (splits.test_companions, sets[2:], image_size),
        )
    ]
    train = unpaired_dataset(
        sets[0].images,
        sets[1].images,
        image_size=image_size,
        batch_size=batch_size,
        flip=flip,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        process_share=process_share,
        companions=companions[0],
        pixels_a=formats[0],
        pixels_b=formats[1],
    )
    if sets[2] is None:
        return train, None
    test_a, test_b = (stored.images for stored in sets[2:])
    validation = paired_dataset(test_a, test_b, batch_size, companions[1], formats[0], formats[1])
    return train, validation


def _load_size(load_size, image_size, whole):
    """Return `(height, width)`, or None for images that are kept whole."""
    if load_size is None:
        return None if whole else tuple(round(n * 286 / 256) for n in image_size)
    load_size = as_pair(load_size, "load_size")
    if any(n < m for n, m in zip(load_size, image_size, strict=True)):
        raise ValueError(
            "`image_size` is cut out of images of `load_size`, which can't be smaller. Received: "
            f"image_size={image_size}, load_size={load_size}."
        )
    return load_size


def check_channels(channels):
    """Return `(channels_a, channels_b)` of an int or a pair."""
    pair = tuple(channels) if isinstance(channels, (tuple, list)) else (channels, channels)
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise ValueError(f"`channels` is an int or (A's, B's). Received: channels={channels!r}.")
    return pair
