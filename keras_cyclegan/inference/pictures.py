"""Translates opened pictures: at their own size or the working size, whole or in tiles."""

from collections import defaultdict

import numpy as np

from keras_cyclegan.inference.images import to_float
from keras_cyclegan.inference.memory import available_memory, memory_errors, memory_for_whole
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.tiles import translate_tiled
from keras_cyclegan.inference.working_size import is_reduced, reduced

BATCH_PIXELS = 2**20  # 16 images of 256×256: about 1 GB inside the paper's generator
SIDE, SMALLEST_SIDE = 512, 64  # of tiles; larger ones take more memory and no less time


def translate_all(network, pictures, batch_size, tile, working_size):
    """Translate each picture and finish it; see `CycleGAN.translate` for the arguments."""
    if tile not in (None, "auto") and (not isinstance(tile, int) or isinstance(tile, bool)):
        raise ValueError(
            '`tile` is "auto", the side of a tile in pixels, or None for no tiles. Received '
            f"{tile!r}."
        )
    run = runner(network)
    groups = defaultdict(list)  # of one network and size
    for i, picture in enumerate(pictures):
        to_run = run
        if is_reduced(picture.pixels, working_size):
            to_run = runner(run.change) if run.change else run
            picture = reduced(picture, working_size, run.rule.multiple, to_run is not run)
        groups[to_run, picture.pixels.shape[:2]].append((i, picture))
    finished = [None] * len(pictures)
    for (to_run, size), group in groups.items():
        sides = _choose_tile(to_run, size, tile)
        fitting = memory_for_whole() / max(1, to_run.bytes_for(*size))
        fitting = max(1, int(min(BATCH_PIXELS // to_run.padded_pixels(*size), fitting)))
        count = 1 if sides else batch_size or fitting
        for start in range(0, len(group), count):
            indices, batch = zip(*group[start : start + count], strict=True)
            images = [picture.pixels for picture in batch]
            if sides:
                translated = [_translate_in_tiles(to_run, images[0], sides)]
            else:
                translated = _translate_whole(to_run, images, tile)
            for i, picture, translation in zip(indices, batch, translated, strict=True):
                finished[i] = picture.finish(translation)
    return finished


def _translate_whole(run, images, tile):
    """Translate images of one size, or in tiles if the memory wasn't enough."""
    size = images[0].shape[:2]
    try:
        with memory_errors(f"{len(images)} of {size[0]}×{size[1]} pixels"):
            return run(np.stack([to_float(pixels) for pixels in images]))
    except MemoryError:
        sides = _tile_sides(run, size) if tile == "auto" else None
        if sides is None:
            raise
    return [_translate_in_tiles(run, pixels, sides) for pixels in images]


def _translate_in_tiles(run, pixels, sides):
    height, width = pixels.shape[:2]
    run.check_size(height, width)
    with memory_errors(f"{height}×{width} pixels in tiles of {sides[0]}×{sides[1]}"):
        return translate_tiled(run, pixels, sides)


def _choose_tile(run, size, tile):
    """Return the height and width of an image's tiles, or None to translate it as a whole."""
    if isinstance(tile, int):
        return (tile, tile) if max(size) > tile else None
    needed, available = run.bytes_for(*size), available_memory()
    sides = None
    if tile == "auto" and needed > memory_for_whole():
        sides = _tile_sides(run, size)
    if sides is None and needed > available:
        raise MemoryError(
            f"Translating {size[0]}×{size[1]} pixels at once takes about {needed / 1e6:,.0f} MB "
            f"of memory, and {available / 1e6:,.0f} are available. Tiles take less: leave "
            "`tile=None` out. `tile=256` says why a network can't be cut."
        )
    return sides


def _tile_sides(run, size):
    """Return the height and width of tiles that fit the memory.

    None where one is the image, and for a network that can't be cut.
    """
    try:
        run.stages  # noqa: B018
    except ValueError:
        return None
    step = run.rule.smallest
    side = max(SIDE // step, 1) * step
    while side >= 2 * SMALLEST_SIDE and side // 2 % step == 0:
        if run.bytes_for(side * 5 // 4, side * 5 // 4) <= memory_for_whole():
            break
        side //= 2
    # A thin picture is cut along its length, into tiles of as many pixels.
    height, width = map(run.rule.padded, size)
    sides = [side * max(side, other) // other // step * step for other in (width, height)]
    return tuple(sides) if size[0] > sides[0] or size[1] > sides[1] else None
