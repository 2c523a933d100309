"""One function for all sources: folders, tensorflow-datasets, and the embedded glyphs."""

from typing import Any

import numpy as np

from keras_cyclegan.arguments import PathLike, check_choice
from keras_cyclegan.data.batches import (
    as_pair,
    as_size,
    check_sampling,
    paired_dataset,
    unpaired_dataset,
)
from keras_cyclegan.data.decode import RESIZES, check_channels, decode_image, resize_image
from keras_cyclegan.data.folders import folder_splits
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs
from keras_cyclegan.data.store import UnusableImagesError, store_images
from keras_cyclegan.data.tfds import tfds_splits


def load(
    source: PathLike,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 1,
    load_size: int | tuple[int, int] | None = None,
    resize: str = "stretch",
    channels: int | tuple[int, int] = 3,
    flip: bool | None = None,
    seed: int | None = None,
    steps_per_epoch: int | None = None,
    validation_split: float = 0.0,
    on_error: str = "raise",
    memory_limit: int = 2 * 2**30,
    cache_folder: PathLike | None = None,
    process_share: tuple[int, int] = (0, 1),
) -> tuple[Any, Any]:
    """Load unpaired images for training, and pairs of images for validation.

    Zhu et al. 2017, appendix 7.1. Every image is decoded and resized once, before this returns, so
    that unusable files are found now and not hours later. Order, crops and flips are random and
    change in each epoch.

    Args:
        source: one of

            - a folder with the sub-folders `trainA` and `trainB`, and perhaps `testA` and `testB`;
            - two folders, `(a, b)`;
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
            `load_size` out of the centre without resizing; smaller images are errors). Validation
            images are brought to `image_size` in the same way, without random cuts and flips.
        channels: 3 (the default), 1, or `(channels_a, channels_b)`.
        flip: bool. Whether to mirror training images left and right with probability ½. None, the
            default, mirrors all but glyphs.
        seed: int. Makes order, crops and flips repeatable. None, the default, draws one from
            Python's `random`, which `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. None, the default: as many as the larger domain has whole batches.
        validation_split: float in [0, 1), 0 by default. Fraction of each folder to keep for
            validation where there are no `testA` and `testB`.
        on_error: `"raise"` (the default), or `"skip"`: leave out unusable images, and warn with
            their number and names.
        memory_limit: int, 2 GiB by default. Bytes of decoded images to keep in memory (for a
            moment, it takes twice as many). If there are more, they are kept on disk.
        cache_folder: path of the folder on disk. None, the default, takes `keras_cyclegan/images`
            in `KERAS_HOME` or `~/.keras`. Its files are used again unless the images have changed.
        process_share: `(index, count)`, (0, 1) by default; see `unpaired_dataset`.

    Returns:
        `(train, validation)`, two `tf.data.Dataset`s of batches `(a, b)`, float32 in [-1, 1]:
        `train` is an `unpaired_dataset`, `validation` a `paired_dataset`, or `None` where there
        are no images for it.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder is empty, images can't be used, or sizes don't fit.
        RuntimeError: a dataset of tensorflow-datasets can't be downloaded.

    Example:

    ```python
    train, validation = load("glyphs", batch_size=4, seed=0)
    a, b = next(iter(train))
    a.shape  # (4, 32, 32, 3)
    ```
    """
    is_glyphs = isinstance(source, str) and source == "glyphs"
    is_tfds = isinstance(source, str) and source.startswith("tfds:")
    if image_size is None:
        image_size = 32 if is_glyphs else 256
    image_size = as_size(image_size, "image_size")
    load_size = _load_size(load_size, image_size)
    channels = channels if isinstance(channels, (tuple, list)) else (channels, channels)
    if len(channels) != 2:
        raise ValueError(f"`channels` is an int or (A's, B's). Received: channels={channels!r}.")
    for count in channels:
        check_channels(count)
    check_choice("resize", resize, RESIZES)
    check_choice("on_error", on_error, ("raise", "skip"))
    check_sampling(batch_size, steps_per_epoch, seed)
    if validation_split and (is_glyphs or is_tfds):
        raise ValueError(
            f"{source!r} has validation data of its own. Received: "
            f"validation_split={validation_split}."
        )

    if is_glyphs:
        images = _load_glyphs(image_size, load_size, channels)
    else:
        if is_tfds:
            splits = tfds_splits(str(source).removeprefix("tfds:"))
        else:
            splits = folder_splits(source, validation_split)
        folder = None
        if _bytes(splits, (load_size, image_size), channels) > memory_limit:
            from keras_cyclegan.files import download  # it imports much that data rarely needs

            folder = cache_folder or download.cache_folder() / "images"
        images = decode_splits(
            splits, [load_size] * 2 + [image_size] * 2, channels * 2, resize, on_error, folder
        )
    train = unpaired_dataset(
        images[0],
        images[1],
        image_size=image_size,
        batch_size=batch_size,
        flip=not is_glyphs if flip is None else flip,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        process_share=process_share,
    )
    return train, None if images[2] is None else paired_dataset(images[2], images[3], batch_size)


def _load_size(load_size, image_size):
    if load_size is None:
        return tuple(round(n * 286 / 256) for n in image_size)
    load_size = as_pair(load_size, "load_size")
    if any(n < m for n, m in zip(load_size, image_size, strict=True)):
        raise ValueError(
            "`image_size` is cut out of images of `load_size`, which can't be smaller. Received: "
            f"image_size={image_size}, load_size={load_size}."
        )
    return load_size


def _bytes(splits, sizes, channels):
    total = 0
    for i, split in enumerate(splits):
        height, width = sizes[i // 2]
        total += split.count * height * width * channels[i % 2] if split else 0
    return total


def decode_splits(splits, sizes, channels, resize, on_error=None, cache_folder=None):
    """Decode the images of several `Split`s, each to a uint8 array `(n, *size, channels)`.

    Args:
        splits: list of `Split`, or None where there is none.
        sizes: list of `(height, width)`, one for each split.
        channels: list of ints, one for each split.
        resize, cache_folder: see `load`.
        on_error: see `load`; None is `"raise"` without the advice to skip images.

    Returns:
        List of arrays, None where there is no split.

    Raises:
        UnusableImagesError: images are bad; the message has those of all splits.
    """
    arrays, refused = [], []
    for split, size, count in zip(splits, sizes, channels, strict=True):

        def decode(source, size=size, count=count):
            return resize_image(decode_image(source, count), size, resize)

        try:
            shape = (*size, count)
            arrays.append(
                split and store_images(split, decode, shape, on_error, cache_folder, resize)
            )
        except UnusableImagesError as error:
            refused.append(str(error))
    if refused:
        skip = ', or leave them out with `on_error="skip"`' if on_error == "raise" else ""
        raise UnusableImagesError("\n".join([*refused, f"Repair or remove them{skip}."]))
    return arrays


def _load_glyphs(image_size, load_size, channels):
    height, width = image_size
    if height != width:
        raise ValueError(f"Glyphs are square. Received: image_size={height}×{width}.")
    train_a, train_b, test = glyph_characters()
    images = [
        render_glyphs(characters, domain, height, count)
        for characters, domain, count in zip(
            (train_a, train_b, test, test), "abab", channels * 2, strict=True
        )
    ]
    rows, columns = (n - height for n in load_size)
    border = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
    return [np.pad(i, border, constant_values=255) for i in images[:2]] + images[2:]
