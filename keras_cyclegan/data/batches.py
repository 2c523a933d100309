"""Makes the datasets that `fit` and `evaluate` take from arrays of images."""

import importlib.util
import numbers
import random
from typing import Any

import numpy as np

from keras_cyclegan.arguments import FLIPS, check_choice
from keras_cyclegan.data.pixels import PixelFormat, as_format
from keras_cyclegan.data.sampler import MASK, Images, Stream


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
    place and flipped with probability ½, anew each time it comes: a function of seed and step.

    Args:
        images_a, images_b: uint8 arrays (or `numpy.memmap`), `(n, height, width, channels)`, or
            lists of arrays `(height, width, channels)` of any sizes from `image_size` on.
        image_size: int or `(height, width)`, multiples of 4, cut from the images. None: theirs.
        batch_size: int.
        flip: True or `"horizontal"`: mirror left and right; `"vertical"`; `"both"`; `"rot90"`:
            quarter turns too, for what has no up; False or `"none"`.
        seed: int in [0, 2³¹). None: drawn from Python's `random`, which
            `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. None: `max(len(images_a), len(images_b)) // batch_size`. The next
            epoch continues with the images that remain.
        process_share: `(index, count)` of processes that train together; each makes its own
            `batch_size / count` images of every batch.
        companions: dict from names to arrays that ride along. What ends in `_a` belongs to the
            images of A, and has as many entries: `"mask_a"` (uint8; becomes float32, 0 to 1),
            `"weight_a"`, `"label_a"` and any other; arrays `(n, height, width, channels)` are cut
            and turned as their images are. `"pair_a"` and `"pair_b"` are images that show the
            same, drawn, cut and turned together.
        pixels_a, pixels_b: `PixelFormat`s of images that aren't of 8 bits.

    Returns:
        A finite `tf.data.Dataset` of `(a, b)`, float32 in [-1, 1], `(batch_size, *image_size,
        channels)`; with companions, of dicts with the keys `"a"`, `"b"` and theirs. Each iteration
        is the next epoch, from `position` on, which `seek(step)` sets. Without TensorFlow, it is a
        `keras.utils.PyDataset` with the same batches, bit by bit.

    Raises:
        ValueError: images, companions or numbers don't fit, or an epoch has no whole batch.
    """
    streams = make_streams(images_a, images_b, companions, pixels_a, pixels_b)
    first = streams["a"].values
    if image_size is None and first.size is None:
        raise ValueError("Images of several sizes need an `image_size` to cut from them.")
    image_size = as_size(first.size if image_size is None else image_size, "image_size")
    for name, stream in streams.items():
        if isinstance(stream.values, Images) and (stream.values.sizes < image_size).any():
            height, width = stream.values.sizes.min(axis=0)
            raise ValueError(
                f"`{f'images_{name}' if name in 'ab' else name}` are {height}×{width}, smaller "
                f"than the crop `image_size`, {image_size[0]}×{image_size[1]}."
            )
    flip = as_flip(flip, image_size)
    check_sampling(batch_size, steps_per_epoch, seed)
    if batch_size % process_share[1]:
        raise ValueError(f"{process_share[1]} processes can't share `batch_size`={batch_size}.")
    if steps_per_epoch is None:
        counts = [len(streams[domain].values) for domain in "ab"]
        steps_per_epoch = max(counts) // batch_size
        if not steps_per_epoch:
            raise ValueError(
                f"No whole batch of {batch_size} in an epoch: there are {counts[0]} images in A "
                f"and {counts[1]} in B. Give `steps_per_epoch`."
            )
    seed = random.randrange(2**31) if seed is None else int(seed)
    if importlib.util.find_spec("tensorflow"):
        from keras_cyclegan.data.pipeline import UnpairedDataset as Batches
    else:
        from keras_cyclegan.data.threads import UnpairedBatches as Batches
    return Batches(streams, image_size, batch_size, flip, seed, steps_per_epoch, process_share)


def paired_dataset(
    images_a: Any,
    images_b: Any,
    batch_size: int = 1,
    companions: dict[str, Any] | None = None,
    pixels_a: PixelFormat | None = None,
    pixels_b: PixelFormat | None = None,
) -> Any:
    """Make batches for validation: the first of A with the first of B, and so on, unchanged.

    Each of the `min(len(images_a), len(images_b))` pairs comes once; the last batch may be smaller.

    Args:
        images_a, images_b, batch_size, companions, pixels_a, pixels_b: as in `unpaired_dataset`,
            but all images have one size, and pairs don't ride along.
    """
    streams = make_streams(images_a, images_b, companions, pixels_a, pixels_b)
    sizes = [streams[domain].values.size for domain in "ab"]
    if None in sizes or sizes[0] != sizes[1]:
        a, b = ("several sizes" if size is None else "{}×{}".format(*size) for size in sizes)
        raise ValueError(f"Validation needs one size in both domains. Received {a} and {b}.")
    as_size(sizes[0], "image_size")
    check_sampling(batch_size)
    pairs = min(len(streams[domain].values) for domain in "ab")
    if importlib.util.find_spec("tensorflow"):
        from keras_cyclegan.data.pipeline import validation_batches as batches
    else:
        from keras_cyclegan.data.threads import PairedBatches as batches
    return batches(streams, pairs, batch_size)


def make_streams(images_a, images_b, companions=None, pixels_a=None, pixels_b=None):
    """Check images and what rides along; return a dict from names to `Stream`, A and B first."""
    streams = {}
    for domain, images, pixels in (("a", images_a, pixels_a), ("b", images_b, pixels_b)):
        images = _as_images(f"images_{domain}", images, pixels)
        streams[domain] = Stream(images, domain, as_format(pixels, images.channels))
    companions = companions or {}
    for name, values in companions.items():
        if name[-2:] not in ("_a", "_b"):
            raise ValueError(f"A companion's name ends in _a or _b, its domain. Received {name!r}.")
        of = streams[name[-1]]
        if name.startswith("pair_"):
            like = f"pair_{'b' if name[-1] == 'a' else 'a'}"
            stream = Stream(_as_images(name, values, of.pixels), "pair", of.pixels)
            fits = len(values) == len(companions.get(like, ()))
        else:
            like = f"images_{name[-1]}"
            stream = _as_companion(name, values)
            sizes = getattr(stream.values, "sizes", of.values.sizes)
            fits = len(stream.values) == len(of.values) and (sizes == of.values.sizes).all()
        if not fits:
            raise ValueError(
                f"`{name}` has {len(values)} entries, not as many, of the same sizes, as `{like}`."
            )
        streams[name] = stream
    return streams


def _as_companion(name, values):
    pixels = MASK if name.startswith(MASK) else None
    if isinstance(values, list) or getattr(values, "ndim", 0) == 4:
        values = Images(values)
    elif pixels and not isinstance(values, Images):
        raise ValueError(f"`{name}` must be (n, height, width, 1). Received {values.shape}.")
    return Stream(values, name[-1], pixels)


def _as_images(name, images, pixels):
    dtype = pixels.dtype if pixels else "uint8"
    items, rank = (images, 3) if isinstance(images, list) else ([images], 4)
    for item in items:
        is_array = isinstance(item, (np.ndarray, Images))
        kind = item.dtype if is_array else type(images).__name__
        shape = getattr(item, "shape", (1,) * rank)  # `Images` have been checked
        if kind != dtype or len(shape) != rank or 0 in shape:
            raise ValueError(
                f"`{name}` must be a numpy array of {dtype}, (n, height, width, channels), or a "
                f"list of (height, width, channels), none of them 0. Received {kind}, {shape}. "
                "`data.from_unit` makes uint8 of values in [-1, 1]; other dtypes need a "
                "`PixelFormat`."
            )
    return images if isinstance(images, Images) else Images(images)


def as_flip(flip, image_size):
    """Return one of `FLIPS`."""
    flip = {True: "horizontal", False: "none"}.get(flip, flip)
    check_choice("flip", flip, FLIPS)
    if flip == "rot90" and image_size[0] != image_size[1]:
        raise ValueError(f"Quarter turns need squares. Received image_size={image_size}.")
    return flip


def as_size(size, name, multiple=4):
    """Return `(height, width)` of an int or a pair; the generators halve their input twice."""
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(isinstance(n, numbers.Integral) for n in pair):
        raise ValueError(f"`{name}` is an int or (height, width). Received {name}={size!r}.")
    height, width = pair
    if min(pair) < multiple or height % multiple or width % multiple:
        raise ValueError(
            f"Height and width must be multiples of {multiple}. Received {name}={height}×{width}."
        )
    return int(height), int(width)


def check_sampling(batch_size, steps_per_epoch=None, seed=None):
    """Raise a ValueError for numbers that can't be used; `load` calls this before it decodes."""
    optional = {"steps_per_epoch": (steps_per_epoch, 1), "seed": (seed, 0)}
    given = {name: pair for name, pair in optional.items() if pair[0] is not None}
    for name, (value, least) in {"batch_size": (batch_size, 1), **given}.items():
        if not isinstance(value, numbers.Integral) or not least <= value < 2**31:
            raise ValueError(
                f"`{name}` is a whole number from {least} to 2³¹ - 1. Received {value!r}."
            )
