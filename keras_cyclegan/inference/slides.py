"""Translates a slide in one pass, tile by tile, into a pyramid: bounded memory, any size."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np

from keras_cyclegan.arguments import check_choice, check_direction
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference import slide_files
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
):
    """Translate a slide block by block; called again after a kill, it goes on where it was.

    Statistics of instance norms are taken from samples of the slide's tissue, see
    `CycleGAN.freeze_statistics`, unless the model's are frozen already. What isn't tissue is
    copied, not computed. Finished blocks lie in a folder beside the target until all are there.

    Args:
        model: `CycleGAN`, whose generator of this direction takes and gives three channels.
        source: path of a tiled TIFF file (pyramid, SVS, OME-TIFF), or of what openslide reads.
        target: path of the BigTIFF to write, which ends in .tif or .tiff.
        direction: str, `"a_to_b"` (the default) or `"b_to_a"`.
        samples: int, 16 by default. Parts of 256×256 whose statistics are taken.
        tile: int, 512 by default. Side of the parts that are computed; the result is the same.
        mpp: float. Microns per pixel at which to translate: the nearest level is taken. None, the
            default, takes the largest.
        compression: `"jpeg"` (the default) or `"deflate"`, without loss.

    Yields:
        `(done, total)`: blocks, once when begun and after each.

    Raises:
        FileNotFoundError: there is no source.
        ImportError: a package that reads it is not installed.
        ValueError: it is no slide, has no level near `mpp`, or the generator can't be cut.
    """
    direction = check_direction(direction)
    check_choice("compression", compression, ("jpeg", "deflate"))
    target = Path(target)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"A slide is written as .tif or .tiff. Received {target}.")
    generator = generator_for(model, direction)
    if (generator.input_shape[-1], generator.output_shape[-1]) != (3, 3):
        raise ValueError("Slides have three channels; the generator takes or gives others.")
    slide = slide_files.open_slide(source)
    try:
        level = _level(slide, mpp)
        blocks = _Blocks(target, source, slide.sizes[level], generator, level, compression, samples)
        missing = [place for place in blocks.places if not blocks.path(*place).exists()]
        done, total = len(blocks.places) - len(missing), len(blocks.places)
        yield done, total
        if missing:
            is_tissue = find_tissue(slide)
            if len(runner(generator).stages[0]) > 1:  # its norms aren't frozen
                parts = _samples(slide, level, is_tissue, samples)
                generator = generator_for(model.freeze_statistics(parts, direction), direction)
            part = _Part(slide, level, generator, is_tissue, tile)
        for place in missing:
            slide_files.write_block(blocks.path(*place), part(*blocks.region(*place)), compression)
            done += 1
            yield done, total
        microns = slide.mpp and slide.mpp[level]
        size = slide.sizes[level]
        slide_files.write_slide(target, size, blocks.path, compression, microns, slide.icc)
        shutil.rmtree(blocks.folder)
    finally:
        slide.close()


def _level(slide, mpp):
    if mpp is None:
        return 0
    if not slide.mpp:
        raise ValueError("The slide doesn't say its microns per pixel: leave `mpp` out.")
    ratios = [max(mpp / level, level / mpp) for level in slide.mpp]
    if min(ratios) > FAR:
        known = ", ".join(f"{level:.3g}" for level in slide.mpp)
        raise ValueError(f"The slide has levels of {known} microns per pixel. Received mpp={mpp}.")
    return int(np.argmin(ratios))


class _Blocks:
    """The finished blocks of one translation, in a folder beside its target."""

    def __init__(self, target, source, size, generator, level, compression, samples):
        self.folder, self.size = target.with_name(f".{target.name}.blocks"), size
        rows, columns = (-(-side // slide_files.BLOCK) for side in size)
        self.places = [(row, column) for row in range(rows) for column in range(columns)]
        state = Path(source).stat()
        described = json.dumps(
            {
                "source": [str(Path(source).absolute()), state.st_size, state.st_mtime_ns],
                "size": [*size, slide_files.BLOCK],
                "weights": _checksum(generator),
                "options": [level, compression, samples],
            }
        )
        record = self.folder / "task.json"
        if not record.exists() or record.read_text(encoding="utf-8") != described:
            shutil.rmtree(self.folder, ignore_errors=True)  # of another translation
            self.folder.mkdir(parents=True)
            record.write_text(described, encoding="utf-8")

    def path(self, row, column):
        return self.folder / f"{row:05}-{column:05}.tif"

    def region(self, row, column):
        starts = row * slide_files.BLOCK, column * slide_files.BLOCK
        return tuple(
            slice(start, min(start + slide_files.BLOCK, side))
            for start, side in zip(starts, self.size, strict=True)
        )


def _checksum(generator):
    found = 0
    for weights in generator.get_weights():
        found = zlib.crc32(np.ascontiguousarray(weights), found)
    return found


class _Part:
    """Translates any part of a slide, of which each tile gets the margin that the network sees."""

    def __init__(self, slide, level, generator, is_tissue, tile):
        self.slide, self.level, self.is_tissue = slide, level, is_tissue
        self.run = runner(generator)
        (stage,), _ = self.run.stages
        multiple = self.run.rule.multiple
        self.margin = -(-stage.margin // multiple) * multiple
        self.tile = max(1, tile // self.run.rule.smallest) * self.run.rule.smallest

    def __call__(self, rows, columns):
        """Return a part, `(height, width, 3)`: translated where there is tissue, else copied.

        Which is decided for each square of 256×256 pixels, so that the result is the same for tiles
        of any size.
        """
        result = self.slide.read(self.level, rows, columns)
        tissue = self._tissue(rows, columns)
        for top in range(0, len(result), self.tile):
            for left in range(0, result.shape[1], self.tile):
                into = slice(top, top + self.tile), slice(left, left + self.tile)
                wanted = tissue[into]
                if wanted.any():
                    height, width = wanted.shape
                    top_left = rows.start + top, columns.start + left
                    result[into][wanted] = self._tile(*top_left, height, width)[wanted]
        return result

    def _tissue(self, rows, columns):
        """Return whether each pixel of a part lies in a square with tissue."""
        side, size = slide_files.STORED, self.slide.sizes[self.level]
        squares = [
            [
                self.is_tissue(slice(top, top + side), slice(left, left + side), size)
                for left in range(columns.start, columns.stop, side)
            ]
            for top in range(rows.start, rows.stop, side)
        ]
        pixels = np.repeat(np.repeat(squares, side, axis=0), side, axis=1)
        return pixels[: rows.stop - rows.start, : columns.stop - columns.start]

    def _tile(self, top, left, height, width):
        seen = [
            slice(max(0, start - self.margin), min(side, start + length + self.margin))
            for start, length, side in zip(
                (top, left), (height, width), self.slide.sizes[self.level], strict=True
            )
        ]
        translated = self.run(to_unit(self.slide.read(self.level, *seen))[None])[0]
        down, across = top - seen[0].start, left - seen[1].start
        return from_unit(translated[down : down + height, across : across + width])


# --- tissue ------------------------------------------------------------------------------------


def find_tissue(slide):
    """Return a function of rows, columns and a level's size: whether there is tissue.

    Tissue is what is darker or more colourful than glass: of the two classes into which Otsu's
    threshold (1979) parts the distance from white on a low level, the further one.
    """
    distance = 255.0 - _thumbnail(slide).min(axis=2)
    tissue = distance > otsu(distance)

    def is_tissue(rows, columns, size):
        part = []
        for given, side, count in zip((rows, columns), size, tissue.shape, strict=True):
            first = max(0, int(given.start / side * count) - 1)
            part.append(slice(first, int(np.ceil(given.stop / side * count)) + 1))
        return bool(tissue[tuple(part)].any())

    return is_tissue


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
    strips = [
        slide.read(level, slice(top, min(top + step, height)), slice(0, width))[:1, ::step]
        for top in range(0, height, step)
    ]
    return np.concatenate(strips)


def _samples(slide, level, is_tissue, count):
    """Return parts of a level with tissue, the same at each call."""
    rng, size = np.random.default_rng(0), slide.sizes[level]
    side = min(SAMPLE, *size)
    parts, anywhere = [], []
    for _ in range(200 * count):
        rows, columns = (
            slice(start, start + side) for start in (int(rng.integers(n - side + 1)) for n in size)
        )
        (parts if is_tissue(rows, columns, size) else anywhere).append((rows, columns))
        if len(parts) == count:
            break
    return [slide.read(level, *part) for part in (parts or anywhere)[:count]]
