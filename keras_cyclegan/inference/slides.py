"""Translates a slide in one pass, tile by tile, into a pyramid: bounded memory, any size."""

import contextlib
import json
import shutil
import zlib
from pathlib import Path

import numpy as np

from keras_cyclegan.arguments import check_choice, check_direction
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference import slide_files
from keras_cyclegan.inference.ray_engine import run_on_ray
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for

SAMPLE = 256  # side of the samples whose statistics are taken
THUMBNAIL = 2048  # side of the level on which tissue is looked for, at most
FAR = 1.2  # factor between the microns asked for and those of a level, at most


def translate_slide(
    model,
    source,
    target,
    direction="a_to_b",
    samples=16,
    tile=512,
    mpp=None,
    compression="jpeg",
    engine="local",
    workers=None,
):
    """Translate a slide block by block, yielding `(done, total)`; after a kill it goes on.

    Statistics of instance norms are taken from `samples` of the slide's tissue, 256×256 each, see
    `CycleGAN.freeze_statistics`, unless the model's are frozen already. What isn't tissue is
    copied, not computed. Finished blocks lie in a folder beside the target until all are there.

    Args:
        source: path of a tiled TIFF file (pyramid, SVS, OME-TIFF), or of what openslide reads.
        target: path of the BigTIFF to write.
        tile: side of the parts that are computed; the result is the same.
        mpp: microns per pixel of the level to translate. None: the largest.
        compression: `"jpeg"` or `"deflate"`, without loss.
        engine, workers: `"local"` or `"ray"`, where all machines reach both files.
    """
    direction = check_direction(direction)
    check_choice("compression", compression, ("jpeg", "deflate"))
    target = Path(target)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"A slide is written as .tif or .tiff. Received {target}.")
    generator = generator_for(model, direction)
    if (generator.input_shape[-1], generator.output_shape[-1]) != (3, 3):
        raise ValueError("Slides have three channels; the generator takes or gives others.")
    with contextlib.closing(slide_files.open_slide(source)) as slide:
        level = _level(slide, mpp)
        folder, size = target.with_name(f".{target.name}.blocks"), slide.sizes[level]
        source, checksum = Path(source).absolute(), 0
        for weights in generator.get_weights():
            checksum = zlib.crc32(np.ascontiguousarray(weights), checksum)
        task = [str(source), source.stat().st_size, source.stat().st_mtime_ns, *size, checksum]
        _begin(folder, [*task, slide_files.BLOCK, level, compression, samples])
        places = list(np.ndindex(*(-(-side // slide_files.BLOCK) for side in size)))
        missing = [place for place in places if not block_path(folder, *place).exists()]
        done, total = len(places) - len(missing), len(places)
        yield done, total
        if missing:
            tissue = find_tissue(slide)
            if len(runner(generator).stages[0]) > 1:  # its norms aren't frozen
                parts = tissue_samples(slide, level, tissue, samples)
                model = model.freeze_statistics(parts, direction)
            options = model, direction, source, level, tissue, tile, folder.absolute(), compression
            if engine == "ray":
                errors = (error for _, error in run_on_ray(BlockWriter, options, missing, workers))
            else:
                errors = map(BlockWriter(*options).run, missing)
            for error in errors:
                if error:
                    raise RuntimeError(f"A block of {source} wasn't translated: {error}")
                done += 1
                yield done, total
        microns = slide.mpp and slide.mpp[level]
        slide_files.write_slide(
            target, size, lambda *place: block_path(folder, *place), compression, microns, slide.icc
        )
        shutil.rmtree(folder)


def _level(slide, mpp):
    if mpp is None:
        return 0
    known = slide.mpp or []  # of a slide that doesn't say
    fits = [i for i, level in enumerate(known) if max(mpp / level, level / mpp) <= FAR]
    if not fits:
        levels = ", ".join(f"{level:.3g}" for level in known) or "unknown"
        raise ValueError(f"The slide has levels of {levels} microns per pixel. Received mpp={mpp}.")
    return fits[0]


def _begin(folder, task):
    """Make the folder of blocks, empty if it holds those of another task."""
    record, described = folder / "task.json", json.dumps(task)
    if not record.exists() or record.read_text(encoding="utf-8") != described:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        record.write_text(described, encoding="utf-8")


def block_path(folder, row, column):
    return folder / f"{row:05}-{column:05}.tif"


class BlockWriter:
    """Translates blocks of a slide; each tile gets the margin that the network sees."""

    def __init__(self, model, direction, source, level, tissue, tile, folder, compression):
        self.slide, self.level, self.tissue = slide_files.open_slide(source), level, tissue
        self.folder, self.compression = folder, compression
        self.size = self.slide.sizes[level]
        self.model, self.network = model, runner(generator_for(model, direction))
        (stage,), _ = self.network.stages
        multiple, smallest = self.network.rule
        self.margin = -(-stage.margin // multiple) * multiple
        self.tile = max(1, tile // smallest) * smallest

    def run(self, place):
        """Write a block, translated where there is tissue, else copied."""
        block = slide_files.BLOCK
        rows, columns = (
            slice(i * block, min((i + 1) * block, side))
            for i, side in zip(place, self.size, strict=True)
        )
        pixels = self.slide.read(self.level, rows, columns)
        has_tissue = self._tissue_of(rows, columns)
        for top, left in np.ndindex(*(-(-side // self.tile) for side in pixels.shape[:2])):
            top, left = top * self.tile, left * self.tile
            into = np.s_[top : top + self.tile, left : left + self.tile]
            wanted = has_tissue[into]
            if wanted.any():
                translated = self._translate(rows.start + top, columns.start + left, wanted.shape)
                pixels[into][wanted] = translated[wanted]
        slide_files.write_block(block_path(self.folder, *place), pixels, self.compression)

    def _tissue_of(self, rows, columns):
        """Return whether each pixel lies in a square with tissue: the same for any tiles."""
        side = slide_files.STORED
        squares = [
            [
                is_tissue(self.tissue, np.s_[top : top + side, left : left + side], self.size)
                for left in range(columns.start, columns.stop, side)
            ]
            for top in range(rows.start, rows.stop, side)
        ]
        pixels = np.repeat(np.repeat(squares, side, axis=0), side, axis=1)
        return pixels[: rows.stop - rows.start, : columns.stop - columns.start]

    def _translate(self, top, left, shape):
        seen = [self._window(*axis) for axis in zip((top, left), self.size, strict=True)]
        translated = self.network(to_unit(self.slide.read(self.level, *seen))[None])[0]
        down, across = top - seen[0].start, left - seen[1].start
        return from_unit(translated[down : down + shape[0], across : across + shape[1]])

    def _window(self, start, side):
        """Return what a tile's computation sees along an axis: as much for each, once padded."""
        # TensorFlow keeps memory for each shape that it has seen.
        multiple, length = self.network.rule.multiple, self.tile + 2 * self.margin
        last = max(0, -(-(side - length) // multiple) * multiple)
        first = min(max(0, start - self.margin), last)
        return slice(first, min(side, first + length))


def find_tissue(slide):
    """Return a small picture of a slide as booleans: where it is far from white, by Otsu (1979)."""
    distance = 255.0 - _thumbnail(slide).min(axis=2)
    return distance > otsu(distance)


def is_tissue(tissue, part, size):
    """Return whether rows and columns of a level of this size have tissue in them."""
    seen = []
    for given, side, count in zip(part, size, tissue.shape, strict=True):
        first = max(0, int(given.start / side * count) - 1)
        seen.append(slice(first, int(np.ceil(given.stop / side * count)) + 1))
    return bool(tissue[tuple(seen)].any())


def otsu(values):
    """Return the threshold that parts values from 0 to 255 into the two most different classes."""
    counts, _ = np.histogram(values, bins=256, range=(0, 256))
    below = np.cumsum(counts)
    sums = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * apart**2)
    return int(np.argmax(between)) if between.any() else -1  # of one value all is tissue


def _thumbnail(slide):
    """Return a small picture of the slide: a level, or every k-th pixel of the smallest."""
    level = len(slide.sizes) - 1
    while level and max(slide.sizes[level]) < THUMBNAIL / 4:
        level -= 1
    height, width = slide.sizes[level]
    step = -(-max(height, width) // THUMBNAIL)
    strip = max(1, slide_files.STORED // step) * step
    strips = (slice(top, min(top + strip, height)) for top in range(0, height, strip))
    # Copies: what is left out would stay in memory.
    return np.concatenate(
        [slide.read(level, rows, slice(0, width))[::step, ::step].copy() for rows in strips]
    )


def tissue_samples(slide, level, tissue, count):
    """Return parts of a level with tissue, the same at each call."""
    rng, size = np.random.default_rng(0), slide.sizes[level]
    side = min(SAMPLE, *size)
    parts, anywhere = [], []
    for _ in range(200 * count):
        part = tuple(slice(i, i + side) for i in (int(rng.integers(n - side + 1)) for n in size))
        (parts if is_tissue(tissue, part, size) else anywhere).append(part)
        if len(parts) == count:
            break
    return [slide.read(level, *part) for part in (parts or anywhere)[:count]]
