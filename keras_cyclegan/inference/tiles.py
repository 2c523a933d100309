"""Translates a large image in tiles, with the same result as the whole."""

import contextvars
import itertools
import math
import tempfile
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_cyclegan.inference.images import as_given, to_float
from keras_cyclegan.inference.tile_plan import frozen_copy, is_instance_norm
from keras_cyclegan.layers.cpu import fast_paths
from keras_cyclegan.moments import Moments

SAMPLE_TILE = 256  # of samples whose statistics are taken

# Called after each tile with what is done and what there is to do, for who shows it.
progress = contextvars.ContextVar("progress", default=lambda done, total: None)


def translate_tiled(runner, pixels, tile):
    """Translate one large image tile by tile, in memory that doesn't grow with the image.

    An instance norm takes its mean and variance from all of its input. So the network is cut at its
    norms: the layers before a norm process all tiles, and their results for the whole image are
    kept in temporary files; then the norm's statistics are known, and the layers after it start.
    Each tile has a margin as wide as its layers can see, so that there are no seams. The files, in
    TMPDIR, take 384 bytes per pixel for the paper's ResNet; they disappear even after a kill.
    """
    (result,), _ = _translate_together(runner, [pixels], tile)
    return result


def freeze(runner, images):
    """Return a copy of a generator whose instance norms have the statistics of images together."""
    side = max(SAMPLE_TILE // runner.rule.smallest, 1) * runner.rule.smallest
    if not any(stage.measures for stage in runner.stages[0]):
        raise ValueError(f"The generator {runner.generator.name!r} has no instance norm to freeze.")
    return _translate_together(runner, images, (side, side))[1]


def _translate_together(runner, images, tile):
    """Return translations, and the network whose norms have the statistics of all of the images."""
    rule, generator = runner.rule, runner.generator
    if any(side < rule.smallest or side % rule.multiple for side in tile):
        raise ValueError(
            f"`tile` must be a multiple of {rule.multiple}, at least {rule.smallest}, for the "
            f"generator {generator.name!r}. Received tile={tile[0]}."
        )
    stages, steps = runner.stages
    network = frozen_copy(generator)
    twins = {id(x.output): network.get_layer(x.name).output for x in generator.operations[1:]}
    twins[id(generator.input)] = network.input
    given = [_Pixels(_padded(pixels, rule)) for pixels in images]
    results = [_Pixels(np.empty((*p.size, generator.output.shape[-1]), p.dtype)) for p in given]
    maps = [
        {id(generator.input): image, id(generator.output): result}
        for image, result in zip(given, results, strict=True)
    ]
    tiles = sum(
        math.prod(-(-n // side) for n, side in zip(p.size, tile, strict=True)) for p in given
    )
    last = {id(tensor): i for i, stage in enumerate(stages) for tensor in stage.reads}
    done = itertools.count(1)
    for i, stage in enumerate(stages):
        kept = list(dict.fromkeys(map(id, stage.stores + stage.measures)))  # some are both
        inputs = [twins[id(tensor)] for tensor in stage.reads]
        compute = keras.Function(inputs, [twins[key] for key in kept])
        stored = {id(tensor): tensor for tensor in stage.stores}
        moments = {id(tensor): Moments() for tensor in stage.measures}
        for known, image in zip(maps, given, strict=True):
            for key in stored.keys() - known.keys():
                known[key] = _Map(stored[key], steps[key], image.size)
            spans = map(_spans, image.size, tile, [stage.margin] * 2)
            for down, across in itertools.product(*spans):
                read = [known[id(tensor)].read(down, across) for tensor in stage.reads]
                with fast_paths():
                    made = map(ops.convert_to_numpy, compute(read))
                for key, value in zip(kept, made, strict=True):
                    part = value[0, down.inside(steps[key]), across.inside(steps[key])]
                    if key in moments:
                        _add(moments[key], part)
                    if key in stored:
                        known[key].write(down, across, part)
                progress.get()(next(done), tiles * len(stages))
            for key in [key for key in known if last.get(key) == i]:
                del known[key]  # no later stage reads it
        for norm in filter(is_instance_norm, generator.layers):
            if id(norm.input) in moments:
                network.get_layer(norm.name).set_weights(_fixed(norm, moments[id(norm.input)]))
    return [
        result.pixels[: pixels.shape[0], : pixels.shape[1]]
        for result, pixels in zip(results, images, strict=True)
    ], network


def _padded(pixels, rule):
    """Pad an image by reflection, below and on the right, to a size that fits the generator."""
    sides = [(0, rule.padded(side) - side) for side in pixels.shape[:2]]
    return np.pad(pixels, [*sides, (0, 0)], "reflect")


def _fixed(norm, moments):
    """Return mean, scale and offset, float32, by which a norm of these moments would compute."""
    scale = 1 / np.sqrt(moments.squares / moments.count + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * ops.convert_to_numpy(norm.gamma)
    offset = np.zeros_like(scale) if norm.beta is None else ops.convert_to_numpy(norm.beta)
    return [values.astype("float32") for values in (moments.mean, scale, offset)]


def _add(moments, values):
    """Add an array `(height, width, channels)` to `Moments`, row by row: a row fits the cache."""
    for row in values.astype("float32", copy=False):
        shifted = row - row[0]  # the sums lose fewer digits; nothing is left of equal values
        mean = shifted.mean(axis=0)
        squares = np.square(shifted - mean).sum(axis=0)
        moments.merge(len(row), row[0].astype("float64") + mean, squares)


class _Span(NamedTuple):
    """One tile along one axis, in pixels: the part that is kept, and the part that is seen."""

    kept: slice
    seen: slice

    def inside(self, step):
        """Return the kept part within the seen part, for a tensor of stride `step`."""
        return _in_steps(self.kept, step, self.seen.start)


def _spans(size, tile, margin):
    for start in range(0, size, tile):
        stop = min(start + tile, size)
        yield _Span(slice(start, stop), slice(max(0, start - margin), min(size, stop + margin)))


def _in_steps(pixels, step, first=0):
    return slice(int((pixels.start - first) / step), int((pixels.stop - first) / step))


class _Pixels:
    """The image, or its translation, in memory."""

    def __init__(self, pixels):
        self.pixels, self.dtype, self.size = pixels, pixels.dtype, pixels.shape[:2]

    def read(self, down, across):
        return ops.convert_to_tensor(to_float(self.pixels[down.seen, across.seen])[None])

    def write(self, down, across, part):
        self.pixels[down.kept, across.kept] = as_given(part, self.pixels)


class _Map:
    """One tensor of the whole image, in an unnamed file that is deleted when it is closed."""

    def __init__(self, tensor, step, size):
        self.step, self.dtype = step, np.dtype(tensor.dtype)
        self.shape = (*(int(side / step) for side in size), tensor.shape[-1])
        self.file = tempfile.TemporaryFile()  # noqa: SIM115, open as the map lives

    def read(self, down, across):
        rows, columns = _in_steps(down.seen, self.step), _in_steps(across.seen, self.step)
        shape = (1, rows.stop - rows.start, columns.stop - columns.start, self.shape[2])
        part = np.empty(shape, self.dtype)
        for line in self._lines(rows, columns, part[0]):
            self.file.readinto(line)
        return ops.convert_to_tensor(part)

    def write(self, down, across, part):
        rows, columns = _in_steps(down.kept, self.step), _in_steps(across.kept, self.step)
        for line in self._lines(rows, columns, part):
            self.file.write(line)

    def _lines(self, rows, columns, part):
        """Yield the bytes of each row of a part, of bfloat16 too, with the file at their place."""
        _, width, channels = self.shape
        for row, values in zip(range(rows.start, rows.stop), part, strict=True):
            self.file.seek((row * width + columns.start) * channels * self.dtype.itemsize)
            yield values.reshape(-1).view(np.uint8).data
