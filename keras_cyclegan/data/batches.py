"""Makes the datasets that `fit` and `evaluate` take from arrays of images."""

import importlib
import importlib.util
import numbers
import random
from typing import Any

import numpy as np

from keras_cyclegan.arguments import FLIPS, check_choice
from keras_cyclegan.data.images import Images
from keras_cyclegan.data.pixels import DTYPES, PixelFormat, as_format
from keras_cyclegan.data.sampler import MASK, Stream


def unpaired_dataset(
    images_a: Any,
    images_b: Any,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 1,
    flip: bool | str = True,
    seed: int | None = None,
    steps_per_epoch: int | None = None,
    process_share: tuple[int, int] = (0, 1),
    companions: dict[str, Any] | None = None,
    pixels_a: PixelFormat | None = None,
    pixels_b: PixelFormat | None = None,
) -> Any:
    """Make batches for training, sampled as in the authors' code.

    Zhu et al. 2017, appendix 7.1. The images of domain A come in shuffled order, each once before
    any comes again; for each, one of domain B is drawn independently. Each image is cut at a random
    place and flipped with probability ½, anew each time it comes. All of this is a function of the
    seed and the step: see `seek` below.

    Args:
        images_a: uint8 array (or `numpy.memmap`), `(n, height, width, channels)`: domain A, not
            smaller than `image_size`; or a list of arrays `(height, width, channels)` of any such
            sizes. With `pixels_a`, arrays of its dtype.
        images_b: the same for domain B. Number and channels may differ.
        image_size: int or `(height, width)`, multiples of 4: the size that is cut from the images.
            None, the default, takes the size of `images_a`.
        batch_size: int, 1 by default, as in the paper.
        flip: True (the default) or `"horizontal"`: mirror left and right; `"vertical"`; `"both"`;
            `"rot90"`: quarter turns too, for what has no up; or False or `"none"`.
        seed: int in [0, 2³¹). None, the default, draws one from Python's `random`, which
            `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. None, the default, takes `max(len(images_a), len(images_b)) //
            batch_size`. The images that remain are not lost: the next epoch continues with them.
        process_share: `(index, count)`, (0, 1) by default. Where `count` processes train together,
            each makes its own `batch_size / count` images of every batch.
        companions: dict from names to arrays that ride along, so that batches are dicts. What ends
            in `_a` belongs to the images of A, and has as many entries: `"mask_a"` (uint8; becomes
            float32, 0 to 1), `"weight_a"`, `"label_a"` and any other; arrays
            `(n, height, width, channels)` are cut and turned as their images are. `"pair_a"` and
            `"pair_b"` are images that show the same: as many of each, drawn, cut and turned
            together. None, the default, for none.
        pixels_a: `PixelFormat`: what the numbers of A's images mean. None, the default: 8 bits.
        pixels_b: the same for domain B.

    Returns:
        A `tf.data.Dataset` of `(a, b)`, float32 in [-1, 1], `(batch_size, *image_size, channels)`,
        all dimensions known; with companions, of dicts with the keys `"a"`, `"b"` and theirs. It is
        finite: each iteration is the next epoch, of known length, with a new order and new crops.
        Beyond a dataset's usual methods it has `seek(step)`, after which the next iteration yields
        what an uninterrupted run sees from that step on, and the attributes `steps_per_epoch`,
        `position` and `seed`. Where TensorFlow isn't installed, it is a `keras.utils.PyDataset` of
        numpy arrays, with the same batches, bit by bit.

    Raises:
        ValueError: the images aren't arrays of their format and of rank 4, are empty or smaller
            than `image_size`; sizes aren't multiples of 4; companions don't fit; an epoch has no
            whole batch; or a number is out of range.

    Example:

    ```python
    horses = np.zeros((10, 143, 143, 3), "uint8")
    zebras = np.zeros((12, 143, 143, 3), "uint8")
    train = unpaired_dataset(horses, zebras, image_size=128, seed=0)
    train.seek(3 * train.steps_per_epoch)  # continue with the fourth epoch
    for a, b in train:
        print(a.shape)  # (1, 128, 128, 3), 12 times
    ```
    """
    streams = make_streams(images_a, images_b, companions, pixels_a, pixels_b)
    first = streams["a"].values
    if image_size is None and first.size is None:
        raise ValueError("Images of several sizes need an `image_size` to cut from them.")
    image_size = as_size(first.size if image_size is None else image_size, "image_size")
    for name, stream in streams.items():
        if isinstance(stream.values, Images):
            _check_crop(f"images_{name}" if name in "ab" else name, stream.values, image_size)
    flip = as_flip(flip, image_size)
    check_sampling(batch_size, steps_per_epoch, seed)
    _, processes = process_share
    if batch_size % processes:
        raise ValueError(
            f"A batch of {batch_size} can't be shared by {processes} processes. Give a "
            f"`batch_size` that is a multiple of {processes}."
        )
    if steps_per_epoch is None:
        counts = [len(streams[domain].values) for domain in "ab"]
        steps_per_epoch = max(counts) // batch_size
        if not steps_per_epoch:
            raise ValueError(
                f"No whole batch of {batch_size} in an epoch: there are {counts[0]} images in "
                f"domain A and {counts[1]} in B. Give a smaller `batch_size`, or "
                "`steps_per_epoch`."
            )
    if seed is None:
        seed = random.randrange(2**31)

    dataset = _with_tensorflow("UnpairedDataset", "UnpairedBatches")
    return dataset(streams, image_size, batch_size, flip, int(seed), steps_per_epoch, process_share)


def paired_dataset(
    images_a: Any,
    images_b: Any,
    batch_size: int = 1,
    companions: dict[str, Any] | None = None,
    pixels_a: PixelFormat | None = None,
    pixels_b: PixelFormat | None = None,
) -> Any:
    """Make batches for validation: the first of A with the first of B, and so on, unchanged.

    There are `min(len(images_a), len(images_b))` pairs, and each comes exactly once; the other
    images of the larger domain are not used. Where `batch_size` doesn't divide the number of pairs,
    the last batch is smaller. `CycleGAN.evaluate` weights each batch by its size, so that its means
    are means over pairs.

    Args:
        images_a: uint8 array, `(n, height, width, channels)`, height and width multiples of 4.
        images_b: the same for domain B, of the same height and width.
        batch_size: int, 1 by default.
        companions, pixels_a, pixels_b: see `unpaired_dataset`; but pairs have no place here.

    Returns:
        A finite `tf.data.Dataset` of `(a, b)`, float32 in [-1, 1], or of dicts, the same each time.

    Raises:
        ValueError: the images aren't arrays of their format and of rank 4, are empty, or differ in
            height or width; or sizes aren't multiples of 4.

    Example:

    ```python
    photos, maps = np.zeros((5, 32, 32, 3), "uint8"), np.zeros((7, 32, 32, 1), "uint8")
    pairs = paired_dataset(photos, maps, batch_size=2)
    [len(a) for a, b in pairs]  # [2, 2, 1]
    ```
    """
    streams = make_streams(images_a, images_b, companions, pixels_a, pixels_b)
    sizes = [streams[domain].values.size for domain in "ab"]
    if None in sizes or sizes[0] != sizes[1]:
        shown = ["several sizes" if size is None else f"{size[0]}×{size[1]}" for size in sizes]
        raise ValueError(
            "Both domains must have one size for validation. Received images of "
            f"{shown[0]} and {shown[1]}."
        )
    as_size(sizes[0], "image_size")
    _check_count("batch_size", batch_size)

    dataset = _with_tensorflow("validation_batches", "PairedBatches")
    pairs = min(len(streams[domain].values) for domain in "ab")
    return dataset(streams, pairs, batch_size)


def _with_tensorflow(name, without):
    """Return what runs on tf.data, or what runs on threads where TensorFlow isn't installed."""
    if importlib.util.find_spec("tensorflow"):
        return getattr(importlib.import_module("keras_cyclegan.data.pipeline"), name)
    return getattr(importlib.import_module("keras_cyclegan.data.threads"), without)


def make_streams(images_a, images_b, companions=None, pixels_a=None, pixels_b=None):
    """Check images and what rides along; return a dict from names to `Stream`, A and B first."""
    streams = {}
    for domain, images, pixels in (("a", images_a, pixels_a), ("b", images_b, pixels_b)):
        images = _as_images(f"images_{domain}", images, pixels)
        streams[domain] = Stream(images, domain, as_format(pixels, images.channels))
    companions = companions or {}
    for name, values in companions.items():
        if name[-2:] not in ("_a", "_b"):
            raise ValueError(
                f"The name of a companion ends in _a or _b, the domain that it belongs to: "
                f'"mask_a". Received {name!r}.'
            )
        domain, is_pair = streams[name[-1]], name.startswith("pair_")
        if is_pair:
            values = _as_images(name, values, domain.pixels)
            stream = Stream(values, "pair", domain.pixels)
            other = companions.get(f"pair_{'b' if name[-1] == 'a' else 'a'}", ())
            fits = len(values) == len(other)
        else:
            stream = _as_companion(name, values, name[-1])
            fits = len(stream.values) == len(domain.values) and (
                not isinstance(stream.values, Images)
                or (stream.values.sizes == domain.values.sizes).all()
            )
        if not fits:
            raise ValueError(
                f"`{name}` must have as many entries, of the same sizes, as "
                f"{'the other images of the pairs' if is_pair else f'`images_{name[-1]}`'}. "
                f"Received {len(values)} entries."
            )
        streams[name] = stream
    return streams


def _as_companion(name, values, domain):
    is_mask = name.startswith(MASK)
    if isinstance(values, (Images, list)) or values.ndim == 4:
        values = values if isinstance(values, Images) else Images(values)
        return Stream(values, domain, MASK if is_mask else None)
    if is_mask:
        raise ValueError(
            f"`{name}` must have the shape (n, height, width, 1). Received: {values.shape}."
        )
    return Stream(np.asarray(values), domain)


def _as_images(name, images, pixels):
    dtype = pixels.dtype if pixels else "uint8"
    if isinstance(images, Images):
        if images.dtype != dtype:
            raise ValueError(f"`{name}` hold {images.dtype}; expected {dtype}, as in training.")
        return images
    items = images if isinstance(images, list) else [images]
    rank, shape = (3, "") if isinstance(images, list) else (4, "n, ")
    for item in items:
        if not isinstance(item, np.ndarray) or item.dtype != dtype:
            kind = getattr(item, "dtype", None) or type(images).__name__
            raise ValueError(
                f"`{name}` must be a numpy array of {dtype}. Received: {kind}. "
                "`keras_cyclegan.data.from_unit` makes uint8 of values in [-1, 1]; multiply values "
                f"in [0, 1] by 255 and round them; {', '.join(DTYPES[1:])} need a `PixelFormat`, "
                "which says their range."
            )
        if item.ndim != rank or 0 in item.shape:
            raise ValueError(
                f"`{name}` must have the shape ({shape}height, width, channels), none of them 0. "
                f"Received: {item.shape}."
            )
    return Images(images)


def _check_crop(name, images, image_size):
    smallest = images.sizes.min(axis=0)
    if (smallest < image_size).any():
        raise ValueError(
            f"`{name}` are {smallest[0]}×{smallest[1]}, smaller than the crop "
            f"`image_size`, {image_size[0]}×{image_size[1]}. Enlarge them, or give a smaller "
            "`image_size`."
        )


def as_flip(flip, image_size):
    """Return one of `FLIPS`."""
    flip = {True: "horizontal", False: "none"}.get(flip, flip)
    check_choice("flip", flip, FLIPS)
    if flip == "rot90" and image_size[0] != image_size[1]:
        raise ValueError(f"Quarter turns need squares. Received image_size={image_size}.")
    return flip


def as_pair(size, name):
    """Return `(height, width)` of an int or a pair."""
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(isinstance(n, numbers.Integral) for n in pair):
        raise ValueError(f"`{name}` is an int or (height, width). Received: {name}={size!r}.")
    return int(pair[0]), int(pair[1])


def as_size(size, name):
    """Return `(height, width)` of an int or a pair, which must be multiples of 4."""
    height, width = as_pair(size, name)
    if height < 4 or width < 4 or height % 4 or width % 4:
        raise ValueError(
            "The generators halve their input twice: height and width must be multiples of 4. "
            f"Received: {name}={height}×{width}."
        )
    return height, width


def check_sampling(batch_size, steps_per_epoch, seed):
    """Raise a ValueError for arguments that can't be used; `load` calls this before it decodes."""
    _check_count("batch_size", batch_size)
    if steps_per_epoch is not None:
        _check_count("steps_per_epoch", steps_per_epoch)
    if seed is not None and not (isinstance(seed, numbers.Integral) and 0 <= seed < 2**31):
        raise ValueError(f"`seed` is an int from 0 to 2³¹ - 1. Received: {seed!r}.")


def _check_count(name, value):
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` is a whole number, 1 or more. Received: {value!r}.")
