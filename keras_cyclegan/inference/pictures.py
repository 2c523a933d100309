"""Translates opened pictures: at their own size or the working size, whole or in tiles."""

import warnings

import numpy as np

from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference.memory import (
    available_memory,
    memory_errors,
    memory_for_whole,
    readable,
)
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.tiles import translate_tiled
from keras_cyclegan.inference.working_size import is_reduced, reduced

BATCH_PIXELS = 2**20  # 16 images of 256×256: about 1 GB inside the paper's generator
SIDE, SMALLEST_SIDE = 512, 64  # of tiles; larger ones take more memory and no less time


def translate_all(generators, pictures, batch_size, tile, working_size, reduce=reduced):
    """Translate each picture by one generator after the other, and finish it.

    Those that are larger than `working_size`, None or int, are translated at that size; `reduce`
    makes them small.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received batch_size={batch_size!r}.")
    if tile not in (None, "auto") and (not isinstance(tile, int) or isinstance(tile, bool)):
        raise ValueError(
            '`tile` is "auto", the side of a tile in pixels, or None for no tiles. Received '
            f"{tile!r}."
        )
    large = [is_reduced(picture.pixels, working_size) for picture in pictures]
    own = [picture for picture, is_large in zip(pictures, large, strict=True) if not is_large]
    own = iter(_translate(generators, own, batch_size, tile))
    change = None
    if any(large) and len(generators) == 1 and reduce is reduced:
        change = runner(generators[0]).change
    multiple = max(runner(generator).rule.multiple for generator in generators)
    small = [
        reduce(picture, working_size, multiple, change is not None)
        for picture, is_large in zip(pictures, large, strict=True)
        if is_large
    ]
    small = iter(_translate(generators if change is None else [change], small, batch_size, tile))
    return [next(small if is_large else own) for is_large in large]


def _translate(generators, pictures, batch_size, tile):
    """Translate each picture as a whole or in tiles, and finish it."""
    runners = [runner(generator) for generator in generators]
    sizes = {picture.pixels.shape[:2] for picture in pictures}
    tiles = {size: _choose_tile(runners, size, tile) for size in sizes}
    finished, whole = [None] * len(pictures), {}
    for i, (pixels, finish) in enumerate(pictures):
        size = pixels.shape[:2]
        if tiles[size] is None:
            whole.setdefault(size, []).append(i)
        else:
            finished[i] = finish(_translate_in_tiles(runners, pixels, tiles[size]))
    for indices in _batches(runners, whole, batch_size):
        translated = _translate_batch(runners, [pictures[i].pixels for i in indices], tile)
        for i, translation in zip(indices, translated, strict=True):
            finished[i] = pictures[i].finish(translation)
    return finished


def _batches(runners, whole, batch_size):
    """Yield indices of images of one size, in batches that fit the memory."""
    for size, indices in whole.items():
        fitting = memory_for_whole() / max(1, *(run.bytes_for(*size) for run in runners))
        pixels = max(np.prod([run.rule.padded(side) for side in size]) for run in runners)
        count = batch_size or max(1, int(min(BATCH_PIXELS // pixels, fitting)))
        for start in range(0, len(indices), count):
            yield indices[start : start + count]


def _translate_batch(runners, images, tile):
    """Translate images of one size as a whole, or in tiles if the memory wasn't enough."""
    size = images[0].shape[:2]
    try:
        with memory_errors(f"{len(images)} of {size[0]}×{size[1]} pixels"):
            batch = np.stack([to_float(pixels) for pixels in images])
            for run in runners:
                batch = run(batch)
            return batch
    except MemoryError:
        sides = _tile_sides(runners, size) if tile == "auto" else None
        if sides is None:
            raise
    return [_translate_in_tiles(runners, pixels, sides) for pixels in images]


def _translate_in_tiles(runners, pixels, sides):
    """Translate one large image; uint8 gives uint8, which takes a quarter of the memory."""
    eight_bits, (height, width) = pixels.dtype == np.uint8, pixels.shape[:2]
    with memory_errors(f"{height}×{width} pixels in tiles of {sides[0]}×{sides[1]}"):
        for run in runners:
            run.check_size(height, width)
            rounded = eight_bits and run is runners[-1]
            pixels = translate_tiled(run, pixels, sides, from_unit if rounded else np.asarray)
    return pixels


def _choose_tile(runners, size, tile):
    """Return the height and width of an image's tiles, or None to translate it as a whole."""
    if isinstance(tile, int):
        return (tile, tile) if max(size) > tile else None
    needed, advice = max(run.bytes_for(*size) for run in runners), "Leave `tile=None` out."
    if tile == "auto":
        if needed <= memory_for_whole():
            return None
        try:
            return _tile_sides(runners, size, refuse=True)
        except ValueError as error:
            advice = str(error)
    available = available_memory()
    message = (
        f"Translating {size[0]}×{size[1]} pixels at once takes about {readable(needed)} of memory, "
        f"and {readable(available)} are available. {advice}"
    )
    if needed > available:
        raise MemoryError(message)
    if needed > available / 2:
        warnings.warn(message, stacklevel=2)
    return None


def _tile_sides(runners, size, refuse=False):
    """Return the height and width of tiles that fit the memory; None where one is the image.

    A network that can't be cut is a ValueError if it is to be refused, and else None too.
    """
    try:
        for run in runners:
            run.stages  # noqa: B018, raises
    except ValueError:
        if refuse:
            raise
        return None
    step = max(max(run.rule) for run in runners)

    def fits(side):
        return max(run.bytes_for(side, side) for run in runners) <= memory_for_whole()

    side = max(SIDE // step, 1) * step
    while side >= 2 * SMALLEST_SIDE and side // 2 % step == 0 and not fits(side * 5 // 4):
        side //= 2
    # A thin picture is cut along its length, into tiles of as many pixels.
    padded = [max(run.rule.padded(length) for run in runners) for length in size]
    sides = [side, side]
    for thin, long in ((0, 1), (1, 0)):
        if padded[thin] < side:
            sides[long] = side * side // padded[thin] // step * step
    return tuple(sides) if size[0] > sides[0] or size[1] > sides[1] else None


def to_float(pixels):
    """Convert uint8 pixels to [-1, 1], and return floats as they are."""
    return to_unit(pixels) if pixels.dtype == np.uint8 else pixels
