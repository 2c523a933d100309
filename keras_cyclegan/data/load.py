"""One function for all sources: folders, tensorflow-datasets, and the embedded glyphs."""

import os
from typing import Any

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.batches import (
    as_pair,
    as_size,
    check_sampling,
    paired_dataset,
    unpaired_dataset,
)
from keras_cyclegan.data.decode import check_channels, decode_image, resize_image
from keras_cyclegan.data.folders import folder_splits
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs
from keras_cyclegan.data.store import store_images
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
    part: tuple[int, int] = (0, 1),
) -> tuple[Any, Any]:
    """Loads unpaired images for training, and pairs of them for validation.

    Every image is decoded and resized once, before this returns: a file that can't be used is
    found now, not hours later. What is random (order, crops, flips) is drawn anew each time.

    Args:
        source: one of

            - a folder with the sub-folders `trainA` and `trainB`, and perhaps `testA` and `testB`;
            - two folders, `(a, b)`;
            - `"tfds:NAME"`, a dataset of tensorflow-datasets: `"tfds:cycle_gan/horse2zebra"`;
            - `"glyphs"`, the embedded set: letters and numbers in DejaVu Sans (A) and in DejaVu
              Serif Bold Italic (B). No character is in both training domains; in validation,
              both images of a pair show the same one. It needs no files and no internet.
        image_size: int or `(height, width)`, multiples of 4: what the networks see. Defaults to
            256, and to 32 for glyphs.
        batch_size: int, 1 by default, as in the paper.
        load_size: int or `(height, width)`: what training images are resized to before
            `image_size` is cut from them. Defaults to `image_size * 286 / 256`, rounded, as in
            the paper. Glyphs are not resized but get a white border up to this size (2 pixels
            at 32), so that the cut shifts them.
        resize: `"stretch"` (whatever the aspect: the paper's), `"cover"` (keeps the aspect and
            cuts off what exceeds it) or `"crop"` (no resizing: the centre, `load_size` large, is
            used; smaller images are errors). Validation images are brought to `image_size` in the
            same way, and neither cut at random nor flipped.
        channels: 3 (the default), 1, or `(channels_a, channels_b)`.
        flip: bool. Whether to mirror training images left and right with probability ½. Defaults
            to `True`, and to `False` for glyphs: a mirrored letter is none.
        seed: int. Fixes all that is random. Defaults to one drawn from Python's `random`, which
            `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. Defaults to the images of the larger domain, by the batch.
        validation_split: float in [0, 1). The part of each folder to hold out where there are no
            `testA` and `testB`.
        on_error: `"raise"`, or `"skip"`: leave out images that can't be used, and warn with
            their number and names.
        memory_limit: int. Bytes of decoded images to keep in memory (for a moment, it takes twice
            as many); if there are more, they are kept on disk. 2 GiB by default.
        cache_folder: where on disk. Defaults to `keras_cyclegan/images` in `KERAS_HOME` or
            `~/.keras`. It is found again the next time, unless the images have changed.
        part: `(index, count)`, as for `unpaired_dataset`.

    Returns:
        `(train, validation)`, two `tf.data.Dataset`s of `(a, b)` float32 batches in [-1, 1]. For
        `train` see `unpaired_dataset`, for `validation` `paired_dataset`; it is `None` if there
        are no images for it.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder is empty, images can't be used, sizes don't fit.
        RuntimeError: a dataset can't be downloaded.

    Example:

    ```python
    train, validation = load("glyphs", batch_size=4, seed=0)
    a, b = next(iter(train))  # (4, 32, 32, 3) each
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
    if resize not in ("stretch", "cover", "crop"):
        raise ValueError(f'`resize` is "stretch", "cover" or "crop". Received: {resize!r}.')
    if on_error not in ("raise", "skip"):
        raise ValueError(f'`on_error` is "raise" or "skip". Received: {on_error!r}.')
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
            home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
            folder = cache_folder or os.path.join(home, "keras_cyclegan", "images")
        images = [
            split and decode_split(split, size, resize, count, on_error, folder)
            for split, size, count in zip(
                splits, [load_size] * 2 + [image_size] * 2, channels * 2, strict=True
            )
        ]
    train = unpaired_dataset(
        images[0],
        images[1],
        image_size=image_size,
        batch_size=batch_size,
        flip=not is_glyphs if flip is None else flip,
        seed=seed,
        steps_per_epoch=steps_per_epoch,
        part=part,
    )
    return train, None if images[2] is None else paired_dataset(images[2], images[3], batch_size)


def _load_size(load_size, image_size):
    if load_size is None:
        return tuple(round(n * 286 / 256) for n in image_size)
    load_size = as_pair(load_size, "load_size")
    if any(n < m for n, m in zip(load_size, image_size, strict=True)):
        raise ValueError(
            "`image_size` is cut from images of `load_size`, which can't be smaller. Received: "
            f"image_size={image_size}, load_size={load_size}."
        )
    return load_size


def _bytes(splits, sizes, channels):
    total = 0
    for i, split in enumerate(splits):
        height, width = sizes[i // 2]
        total += split.count * height * width * channels[i % 2] if split else 0
    return total


def decode_split(split, size, resize, channels, on_error="raise", cache_folder=None):
    """All images of a `Split`, uint8 `(n, *size, channels)`; see `store_images`."""
    return store_images(
        split,
        lambda source: resize_image(decode_image(source, channels), size, resize),
        (*size, channels),
        on_error,
        cache_folder,
        recipe=resize,
    )


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
