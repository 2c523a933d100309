"""Makes the datasets that `fit` and `evaluate` take from arrays of images."""

import numbers
import random
from typing import Any

import numpy as np

from keras_cyclegan.data.pixels import to_unit


def unpaired_dataset(
    images_a: Any,
    images_b: Any,
    image_size: int | tuple[int, int] | None = None,
    batch_size: int = 1,
    flip: bool = True,
    seed: int | None = None,
    steps_per_epoch: int | None = None,
    process_share: tuple[int, int] = (0, 1),
) -> Any:
    """Make batches for training, sampled as in the authors' code.

    Zhu et al. 2017, appendix 7.1. The images of domain A come in shuffled order, each once before
    any comes again; for each, one of domain B is drawn independently. Each image is cut at a random
    place and flipped with probability ½, anew each time it comes. All of this is a function of the
    seed and the step: see `seek` below.

    Args:
        images_a: uint8 array (or `numpy.memmap`), `(n, height, width, channels)`: domain A, not
            smaller than `image_size`.
        images_b: the same for domain B. Number and channels may differ.
        image_size: int or `(height, width)`, multiples of 4: the size that is cut from the images.
            None, the default, takes the size of `images_a`.
        batch_size: int, 1 by default, as in the paper.
        flip: bool, True by default. Whether to mirror left and right.
        seed: int in [0, 2³¹). None, the default, draws one from Python's `random`, which
            `keras.utils.set_random_seed` fixes.
        steps_per_epoch: int. None, the default, takes `max(len(images_a), len(images_b)) //
            batch_size`. The images that remain are not lost: the next epoch continues with them.
        process_share: `(index, count)`, (0, 1) by default. Where `count` processes train together,
            each makes its own `batch_size / count` images of every batch.

    Returns:
        A `tf.data.Dataset` of `(a, b)`, float32 in [-1, 1], `(batch_size, *image_size, channels)`,
        all dimensions known. It is finite: each iteration is the next epoch, of known length, with
        a new order and new crops. Beyond a dataset's usual methods it has `seek(step)`, after which
        the next iteration yields what an uninterrupted run sees from that step on, and the
        attributes `steps_per_epoch`, `position` and `seed`.

    Raises:
        ValueError: the images aren't uint8 arrays of rank 4, are empty or smaller than
            `image_size`; sizes aren't multiples of 4; an epoch has no whole batch; or a number is
            out of range.

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
    _check_images("images_a", images_a)
    _check_images("images_b", images_b)
    height, width = image_size = as_size(
        images_a.shape[1:3] if image_size is None else image_size, "image_size"
    )
    for name, images in (("images_a", images_a), ("images_b", images_b)):
        if images.shape[1] < height or images.shape[2] < width:
            raise ValueError(
                f"`{name}` are {images.shape[1]}×{images.shape[2]}, smaller than the crop "
                f"`image_size`, {height}×{width}. Enlarge them, or give a smaller `image_size`."
            )
    check_sampling(batch_size, steps_per_epoch, seed)
    _, processes = process_share
    if batch_size % processes:
        raise ValueError(
            f"A batch of {batch_size} can't be shared by {processes} processes. Give a "
            f"`batch_size` that is a multiple of {processes}."
        )
    if steps_per_epoch is None:
        steps_per_epoch = max(len(images_a), len(images_b)) // batch_size
        if not steps_per_epoch:
            raise ValueError(
                f"No whole batch of {batch_size} in an epoch: there are {len(images_a)} images in "
                f"domain A and {len(images_b)} in B. Give a smaller `batch_size`, or "
                "`steps_per_epoch`."
            )
    if seed is None:
        seed = random.randrange(2**31)

    from keras_cyclegan.data.pipeline import UnpairedDataset

    return UnpairedDataset(
        images_a, images_b, image_size, batch_size, flip, int(seed), steps_per_epoch, process_share
    )


def paired_dataset(images_a: Any, images_b: Any, batch_size: int = 1) -> Any:
    """Make batches for validation: the first of A with the first of B, and so on, unchanged.

    There are `min(len(images_a), len(images_b))` pairs, and each comes exactly once; the other
    images of the larger domain are not used. Where `batch_size` doesn't divide the number of pairs,
    the last batch is smaller. `CycleGAN.evaluate` weights each batch by its size, so that its means
    are means over pairs.

    Args:
        images_a: uint8 array, `(n, height, width, channels)`, height and width multiples of 4.
        images_b: the same for domain B, of the same height and width.
        batch_size: int, 1 by default.

    Returns:
        A finite `tf.data.Dataset` of `(a, b)`, float32 in [-1, 1], the same each time.

    Raises:
        ValueError: the images aren't uint8 arrays of rank 4, are empty, or differ in height or
            width; or sizes aren't multiples of 4.

    Example:

    ```python
    photos, maps = np.zeros((5, 32, 32, 3), "uint8"), np.zeros((7, 32, 32, 1), "uint8")
    pairs = paired_dataset(photos, maps, batch_size=2)
    [len(a) for a, b in pairs]  # [2, 2, 1]
    ```
    """
    _check_images("images_a", images_a)
    _check_images("images_b", images_b)
    as_size(images_a.shape[1:3], "image_size")
    if images_a.shape[1:3] != images_b.shape[1:3]:
        raise ValueError(
            "Both domains must have one size for validation. Received images of "
            f"{images_a.shape[1]}×{images_a.shape[2]} and {images_b.shape[1]}×{images_b.shape[2]}."
        )
    _check_count("batch_size", batch_size)
    pairs = min(len(images_a), len(images_b))

    from keras_cyclegan.data.pipeline import as_tensor, tf, without_autograph

    tensors = as_tensor(images_a), as_tensor(images_b)

    @without_autograph
    def pair(start):
        return tuple(
            to_unit(tensor[start : tf.minimum(start + batch_size, pairs)]) for tensor in tensors
        )

    return tf.data.Dataset.range(0, pairs, batch_size).map(pair).prefetch(tf.data.AUTOTUNE)


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


def _check_images(name, images):
    if not isinstance(images, np.ndarray) or images.dtype != "uint8":
        kind = getattr(images, "dtype", None) or type(images).__name__
        raise ValueError(
            f"`{name}` must be a numpy array of uint8. Received: {kind}. "
            "`keras_cyclegan.data.from_unit` makes uint8 of values in [-1, 1]; multiply values in "
            "[0, 1] by 255 and round them."
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"`{name}` must have the shape (n, height, width, channels), none of them 0. "
            f"Received: {images.shape}."
        )
