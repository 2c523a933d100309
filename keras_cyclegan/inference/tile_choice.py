"""Chooses whether an image is translated as a whole or in tiles, and the side of the tiles."""

import warnings

from keras_cyclegan.inference.memory import (
    available_memory,
    memory_for_whole,
    readable,
    whole_bytes,
)
from keras_cyclegan.inference.sizes import size_rule
from keras_cyclegan.inference.tile_plan import plan

SIDE = 512  # larger tiles take more memory and no less time
SMALLEST_SIDE = 64


def check_tile(tile):
    """Raise a ValueError unless `tile` is "auto", None or an int."""
    if tile is None or tile == "auto" or (isinstance(tile, int) and not isinstance(tile, bool)):
        return
    raise ValueError(
        f'`tile` is "auto", the side of a tile in pixels, or None for no tiles. Received {tile!r}.'
    )


def choose_tile(generators, height, width, tile):
    """Choose how one image is translated by generators.

    Args:
        generators: list of functional `keras.Model`, used one after the other.
        height, width: ints, of the image.
        tile: `"auto"`, the side of a tile, or None.

    Returns:
        The side of a tile, or None for the whole image at once.

    Raises:
        MemoryError: the whole image doesn't fit into the memory, and tiles aren't possible.
    """
    if isinstance(tile, int):
        return tile if max(height, width) > tile else None
    needed = whole_bytes(generators, height, width)
    if tile is None:
        _check_whole(needed, height, width, "Leave `tile=None` out, and it is translated in tiles.")
        return None
    if needed <= memory_for_whole():
        return None
    try:
        side = tile_side(generators)
    except ValueError as error:
        _check_whole(needed, height, width, str(error))
        return None
    return side if max(height, width) > side else None


def tile_side(generators):
    """Return the side of tiles that fit the memory; raise a ValueError if tiling is impossible."""
    for generator in generators:
        plan(generator)
    rules = [size_rule(generator) for generator in generators]
    step = max(max(rule.multiple, rule.smallest) for rule in rules)
    side = max(SIDE // step, 1) * step
    while (
        side >= 2 * SMALLEST_SIDE
        and side // 2 % step == 0
        and whole_bytes(generators, 1.25 * side, 1.25 * side) > memory_for_whole()
    ):
        side //= 2
    return side


def _check_whole(needed, height, width, advice):
    available = available_memory()
    message = (
        f"Translating {height}×{width} pixels at once takes about {readable(needed)} of memory, "
        f"and {readable(available)} are available. {advice}"
    )
    if needed > available:
        raise MemoryError(message)
    if needed > available / 2:
        warnings.warn(message, stacklevel=2)
