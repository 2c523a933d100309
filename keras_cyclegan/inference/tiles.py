"""Translates a large image in tiles, with the same result as the whole."""

import errno
import itertools
import shutil
import tempfile
from collections import Counter
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from keras_cyclegan.data import to_unit
from keras_cyclegan.inference.tile_plan import inputs_of, is_instance_norm
from keras_cyclegan.layers.cpu import fast_paths
from keras_cyclegan.moments import Moments


def translate_tiled(runner, pixels, tile, finish):
    """Translate one large image tile by tile, in memory that doesn't grow with the image.

    An instance norm takes its mean and variance from all of its input, so that tiles translated on
    their own would differ in colour and contrast. Here the network is cut at its norms: the layers
    before a norm process all tiles, and their results for the whole image are kept in temporary
    files; then the norm's statistics are known, and the layers after it start. Each tile has a
    margin as wide as its layers can see, so that the part kept of it equals that of the whole
    image, and there are no seams. Nearly everything is computed once; see `tile_plan.plan`.

    The files take 256 bytes per pixel for the paper's ResNet in float32: 1 GB at 2048², 17 GB at
    8192². They are in `tempfile.gettempdir()`, which the environment variable TMPDIR sets, and
    disappear even if the process is killed. In a folder that is kept in memory (tmpfs), they use
    the memory that tiles should save.

    Args:
        runner: `Runner` of a functional generator of convolutions, activations and instance norms.
        pixels: `(height, width, channels)`, uint8, or float32 in [-1, 1].
        tile: `(height, width)` of a tile without its margin, multiples of what the generator takes.
        finish: function applied to the translation of each tile, in [-1, 1]: `from_unit`, so that
            the result takes one byte per value, or the identity.

    Returns:
        `(height, width, output_channels)`, of the dtype that `finish` returns.

    Raises:
        ValueError: `tile` doesn't fit, or the generator has a layer that can't be tiled.
        OSError: too little room for the temporary files.
    """
    (result,), _ = translate_together(runner, [pixels], tile, finish)
    return result


def translate_together(runner, images, tile, finish):
    """Translate images tile by tile with norms that take the statistics of all of them together.

    Args:
        runner, tile, finish: see `translate_tiled`.
        images: list of `(height, width, channels)`, uint8, or float32 in [-1, 1].

    Returns:
        List of the translations, and a dict from the `id` of each norm's input to its `Moments`.
    """
    rule, output = runner.rule, runner.generator.output
    for side in tile:
        if side < rule.smallest or side % rule.multiple:
            raise ValueError(
                f"`tile` must be a multiple of {rule.multiple}, at least {rule.smallest}, for the "
                f"generator {runner.generator.name!r}. Received tile={side}."
            )
    sizes = [tuple(map(rule.padded, pixels.shape[:2])) for pixels in images]
    stages, steps = runner.stages
    _check_room(stages, steps, sizes, output)

    results, statistics = [_Result(size, finish) for size in sizes], {}
    maps = [
        {id(runner.generator.input): _Image(pixels, size)}
        for pixels, size in zip(images, sizes, strict=True)
    ]
    for stage in stages:
        stored = {id(tensor) for tensor in stage.stores}
        moments = {id(tensor): Moments(np.multiply) for tensor in stage.measures}
        for known, size, result in zip(maps, sizes, results, strict=True):
            for tensor in stage.stores:
                is_result = tensor is output
                known[id(tensor)] = result if is_result else _Map(tensor, steps[id(tensor)], size)
            for down, across in itertools.product(*map(_spans, size, tile, [stage.margin] * 2)):
                read = {id(tensor): known[id(tensor)].read(down, across) for tensor in stage.reads}
                for key, value in _run(stage, read, statistics).items():
                    part = _to_numpy(value)[0, down.inside(steps[key]), across.inside(steps[key])]
                    if key in moments:
                        _add(moments[key], part)
                    if key in stored:
                        known[key].write(down, across, part)
            for tensor in stage.frees:
                del known[id(tensor)]
        statistics |= moments
    cropped = [
        result.pixels[: pixels.shape[0], : pixels.shape[1]]
        for result, pixels in zip(results, images, strict=True)
    ]
    return cropped, statistics


def _run(stage, values, statistics):
    """Compute a stage on one tile: what it stores or measures, by `id`, from what it reads.

    Layers are called one by one because Keras can't replace a layer, the norm, inside of a call.
    """
    kept = {id(tensor) for tensor in stage.stores + stage.measures}
    uses = Counter(id(tensor) for layer in stage.layers for tensor in inputs_of(layer))
    for layer in stage.layers:
        given = keras.tree.map_structure(lambda tensor: values[id(tensor)], layer.input)
        if is_instance_norm(layer):
            values[id(layer.output)] = _normalize(layer, given, statistics[id(layer.input)])
        elif isinstance(layer, (layers.Dropout, layers.BatchNormalization)):
            values[id(layer.output)] = layer(given, training=False)
        else:
            with fast_paths():
                values[id(layer.output)] = layer(given)
        for tensor in inputs_of(layer):
            uses[id(tensor)] -= 1
            if not uses[id(tensor)] and id(tensor) not in kept:
                del values[id(tensor)]
    return {key: values[key] for key in kept}


def _normalize(norm, x, moments):
    # As tensors: torch refuses to multiply an array by a tensor with a gradient.
    mean, scale, offset = map(ops.convert_to_tensor, frozen(norm, moments))
    x = (ops.cast(x, "float32") - mean) * scale + offset  # the offset, in a channel of one value
    return ops.cast(x, norm.compute_dtype)


def frozen(norm, moments):
    """Return mean, scale and offset, float32, by which a norm of these moments would compute."""
    scale = 1 / np.sqrt(moments.squares / moments.count + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * ops.convert_to_numpy(norm.gamma)
    offset = np.zeros_like(scale) if norm.beta is None else ops.convert_to_numpy(norm.beta)
    return [values.astype("float32") for values in (moments.mean, scale, offset)]


def _to_numpy(tensor):
    """Convert to numpy without a copy where possible; Keras's function copies on TensorFlow."""
    if keras.backend.backend() == "torch":
        return ops.convert_to_numpy(tensor)
    return np.asarray(tensor)


# --- tiles -------------------------------------------------------------------------------------


class _Span(NamedTuple):
    """One tile along one axis, in pixels: the part that is kept, and the part that is seen."""

    kept: slice
    seen: slice

    def inside(self, step):
        """Return the kept part within the seen part, for a tensor of stride `step`."""
        first = self.seen.start
        return _in_steps(slice(self.kept.start - first, self.kept.stop - first), step)


def _spans(size, tile, margin):
    for start in range(0, size, tile):
        stop = min(start + tile, size)
        yield _Span(slice(start, stop), slice(max(0, start - margin), min(size, stop + margin)))


def _in_steps(pixels, step):
    return slice(int(pixels.start / step), int(pixels.stop / step))


def _add(moments, values):
    """Add an array `(height, width, channels)` to `Moments`, row by row: a row fits the cache."""
    values = values.astype("float32", copy=False)
    height, width, channels = values.shape
    # Values are taken relative to one near the mean: the sums of squares lose fewer digits.
    near = values[0].mean(axis=0)
    sums = np.zeros((width, channels), "float32")
    squares, row, near_row = sums.copy(), sums.copy(), np.tile(near, (width, 1))
    for given in values:
        np.subtract(given, near_row, out=row)
        sums += row
        np.multiply(row, row, out=row)
        squares += row
    count = height * width
    shift = sums.sum(axis=0, dtype="float64") / count
    squares = squares.sum(axis=0, dtype="float64") - shift**2 * count
    moments.merge(count, shift + near, squares)


# --- whole images, one tile at a time ----------------------------------------------------------


class _Image:
    """The image itself, padded by reflection to a size that fits the generator."""

    def __init__(self, pixels, size):
        self.pixels = pixels
        self.rows, self.columns = (
            np.pad(np.arange(given), (0, fitting - given), mode="reflect")
            for given, fitting in zip(pixels.shape[:2], size, strict=True)
        )

    def read(self, down, across):
        part = self.pixels[np.ix_(self.rows[down.seen], self.columns[across.seen])]
        part = to_unit(part) if part.dtype == np.uint8 else part
        return ops.convert_to_tensor(part[None])


class _Map:
    """One tensor of the whole image, in an unnamed file that is deleted when it is closed."""

    def __init__(self, tensor, step, size):
        self.step, self.dtype = step, np.dtype(tensor.dtype)
        self.shape = _map_shape(tensor, step, size)
        self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, open as the map lives

    def read(self, down, across):
        rows, columns = _in_steps(down.seen, self.step), _in_steps(across.seen, self.step)
        shape = (1, rows.stop - rows.start, columns.stop - columns.start, self.shape[2])
        part = np.empty(shape, self.dtype)
        for row, line in zip(range(rows.start, rows.stop), _bytes(part[0]), strict=True):
            self._seek(row, columns)
            if self.file.readinto(line) != len(line):
                raise OSError("A temporary file of this process was cut off.")
        return ops.convert_to_tensor(part)

    def write(self, down, across, part):
        rows, columns = _in_steps(down.kept, self.step), _in_steps(across.kept, self.step)
        for row, line in zip(range(rows.start, rows.stop), _bytes(part), strict=True):
            self._seek(row, columns)
            if self.file.write(line) != len(line):
                folder = tempfile.gettempdir()
                raise OSError(errno.ENOSPC, f"{folder} is full. TMPDIR names another folder.")

    def _seek(self, row, columns):
        _, width, channels = self.shape
        self.file.seek((row * width + columns.start) * channels * self.dtype.itemsize)


def _bytes(part):
    """Yield the bytes of each row of `(height, width, channels)`, of bfloat16 too."""
    for row in part:
        yield row.reshape(-1).view(np.uint8).data


class _Result:
    """The translation, in memory."""

    def __init__(self, size, finish):
        self.size, self.finish, self.pixels = size, finish, None

    def write(self, down, across, part):
        part = self.finish(part)
        if self.pixels is None:
            self.pixels = np.empty((*self.size, part.shape[2]), part.dtype)
        self.pixels[down.kept, across.kept] = part


def _map_shape(tensor, step, size):
    return (*(int(side / step) for side in size), tensor.shape[-1])


def _map_bytes(tensor, step, size):
    return int(np.prod(_map_shape(tensor, step, size))) * np.dtype(tensor.dtype).itemsize


def _check_room(stages, steps, images, output):
    """Raise an OSError for images, of these sizes, whose maps would fill the disk."""
    held, most = 0, 0
    for stage in stages:
        sizes = {
            id(tensor): sum(_map_bytes(tensor, steps[id(tensor)], size) for size in images)
            for tensor in stage.stores + stage.frees
        }
        held += sum(sizes[id(tensor)] for tensor in stage.stores if tensor is not output)
        most = max(most, held)
        held -= sum(sizes[id(tensor)] for tensor in stage.frees if tensor is not output)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if most > free:
        raise OSError(
            errno.ENOSPC,
            f"Translating {images[0][0]}×{images[0][1]} pixels in tiles takes {most / 1e9:.1f} GB "
            f"of temporary files, and {folder} has room for {free / 1e9:.1f} GB. Set the "
            "environment variable TMPDIR to a folder with more.",
        )
