"""Slides: parts of a pyramid are read, and a pyramid is written from blocks, in little memory."""

import contextlib
import re
from pathlib import Path

import numpy as np

from keras_cyclegan.arguments import needs
from keras_cyclegan.files.atomic import atomic_file

STORED = 256  # side of the tiles in the file that is written
BLOCK = 2048  # side of what is written at once, with the levels below it
MAX_CHUNK = 2**26  # pixels of a compressed piece that must be opened as a whole
SMALLEST = 512  # side of the smallest level
QUALITY = 90  # of JPEG


def open_slide(path):
    """Open a slide by `tifffile` (pyramids, SVS, OME-TIFF), and what isn't TIFF by `openslide`."""
    path = Path(path)
    with open(path, "rb") as file:
        is_tiff = file.read(2) in (b"II", b"MM")
    return (TiffSlide if is_tiff else OpenslideSlide)(path)


class TiffSlide:
    """A slide in a TIFF file.

    Attributes:
        sizes: `(height, width)` of each level, the largest first.
        mpp: microns per pixel of each level, or None if the file doesn't say.
        icc: bytes of the colour profile, or None.
    """

    def __init__(self, path):
        tifffile = needs("tifffile", path, "slides")
        try:
            self.file = tifffile.TiffFile(path)
            levels = [level.keyframe for level in self.file.series[0].levels]
        except (tifffile.TiffFileError, ValueError, IndexError) as error:
            raise ValueError(f"Can't read {path} as a slide: {error}") from error
        first = levels[0]
        if first.dtype != np.uint8 or len(first.shape) != 3 or first.chunks[2:] != (3,):
            raise ValueError(
                "A slide has 8-bit colours, (height, width, 3). "
                f"{path} has {first.shape} of {first.dtype}."
            )
        if np.prod(first.chunks[:2]) > MAX_CHUNK:
            raise ValueError(f"{path} isn't cut into tiles or strips: save it as a tiled TIFF.")
        self.levels = [level for level in levels if np.prod(level.chunks[:2]) <= MAX_CHUNK]
        self.sizes = [level.shape[:2] for level in self.levels]
        microns = _microns(first, self.file.ome_metadata)
        self.mpp = microns and [microns * self.sizes[0][1] / width for _, width in self.sizes]
        profile = first.tags.get(34675)
        self.icc = profile and bytes(profile.value)

    def read(self, level, rows, columns):
        """Return `(height, width, 3)`, uint8, of two slices of a level."""
        page = self.levels[level]
        # Scanners leave out what is empty.
        result = np.full((rows.stop - rows.start, columns.stop - columns.start, 3), 255, np.uint8)
        height, width = page.chunks[:2]
        across = -(-page.shape[1] // width)
        for down in range(rows.start // height, -(-rows.stop // height)):
            for right in range(columns.start // width, -(-columns.stop // width)):
                chunk = self._chunk(page, down * across + right)
                if chunk is not None:
                    top, left = down * height - rows.start, right * width - columns.start
                    into = result[max(top, 0) : top + height, max(left, 0) : left + width]
                    part = chunk[max(-top, 0) :, max(-left, 0) :]
                    into[:] = part[: into.shape[0], : into.shape[1]]
        return result

    def _chunk(self, page, index):
        handle, count = self.file.filehandle, page.databytecounts[index]
        handle.seek(page.dataoffsets[index])
        data = handle.read(count)  # before `page.decode`, which reads elsewhere when first used
        decoded = page.decode(data, index, jpegtables=page.jpegtables)[0] if count else None
        return None if decoded is None else decoded[0]

    def close(self):
        self.file.close()


class OpenslideSlide:
    """A slide in another file, as `TiffSlide`."""

    def __init__(self, path):
        from PIL.ImageCms import PyCMSError

        openslide = needs("openslide", path, "slides")
        try:
            self.slide = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise ValueError(f"Can't read {path} as a slide: {error}") from error
        self.sizes = [size[::-1] for size in self.slide.level_dimensions]
        first = float(self.slide.properties.get("openslide.mpp-x", 0)) or None
        self.mpp = first and [first * factor for factor in self.slide.level_downsamples]
        self.icc = None
        with contextlib.suppress(PyCMSError):  # of a damaged profile
            profile = self.slide.color_profile
            self.icc = profile and profile.tobytes()

    def read(self, level, rows, columns):
        factor = self.slide.level_downsamples[level]
        start = round(columns.start * factor), round(rows.start * factor)
        size = columns.stop - columns.start, rows.stop - rows.start
        pixels = np.asarray(self.slide.read_region(start, level, size))
        opaque = pixels[:, :, 3:] > 0  # what was not scanned is transparent
        return np.where(opaque, pixels[:, :, :3], np.uint8(255))

    def close(self):
        self.slide.close()


def _microns(page, ome):
    """Return the microns per pixel that a TIFF file states, or None."""
    found = re.search(r"MPP\s*=\s*([\d.]+)", page.description)  # Aperio's
    found = found or re.search(r'PhysicalSizeX="([\d.]+)"', ome or "")
    if found:
        return float(found[1])
    unit = {2: 25_400, 3: 10_000}.get(int(getattr(page, "resolutionunit", 1) or 1))
    with contextlib.suppress(ValueError, TypeError, ZeroDivisionError, KeyError):
        over, under = page.tags["XResolution"].value
        return unit * under / over if unit and over > under else None
    return None


def halved(pixels):
    """Return the mean of each 2×2 pixels; an odd side's last row or column counts twice."""
    sides = [(0, side % 2) for side in pixels.shape[:2]]
    even = np.pad(pixels, (*sides, (0, 0)), "edge").astype("uint16")
    sums = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((sums + 2) // 4).astype("uint8")


def _levels_of_blocks():
    return (BLOCK // STORED).bit_length()


def _options(compression):
    arguments = {"compressionargs": {"level": QUALITY}} if compression == "jpeg" else {}
    return {"photometric": "rgb", "tile": (STORED, STORED), "compression": compression, **arguments}


def write_block(path, pixels, compression):
    """Write a block and its smaller levels, in the compressed tiles that the slide will have."""
    import tifffile

    with atomic_file(path) as unfinished, tifffile.TiffWriter(unfinished) as file:
        for _ in range(_levels_of_blocks()):
            file.write(pixels, **_options(compression))
            pixels = halved(pixels)


def write_slide(path, size, block_path, compression, mpp=None, icc=None):
    """Join blocks to a pyramidal BigTIFF; tiles are copied as they are compressed.

    `block_path` is a function of a block's row and column that returns the path of its file.
    """
    import tifffile

    sizes = [size]
    while max(sizes[-1]) > SMALLEST:
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    options = {**_options(compression), "dtype": "uint8", "metadata": None}
    if mpp:
        options |= {"resolution": (10_000 / mpp,) * 2, "resolutionunit": "CENTIMETER"}
    with atomic_file(path) as unfinished, tifffile.TiffWriter(unfinished, bigtiff=True) as file:
        for level, smaller in enumerate(sizes):
            first = {"subifds": len(sizes) - 1, "iccprofile": icc}
            kind = {"subfiletype": 1} if level else first
            # A sixteenth of each side fits the memory.
            parts = _tiles if level < _levels_of_blocks() else _joined
            file.write(parts(level, smaller, block_path), shape=(*smaller, 3), **options, **kind)
            if mpp:
                options["resolution"] = tuple(x / 2 for x in options["resolution"])


def _tiles(level, size, block_path):
    """Yield the compressed tiles of a level, from the left to the right, row by row."""
    import tifffile

    rows, columns = (-(-side // STORED) for side in size)
    per_block = BLOCK // STORED >> level
    for first in range(0, rows, per_block):
        with contextlib.ExitStack() as stack:
            opened = [
                stack.enter_context(tifffile.TiffFile(block_path(first // per_block, column)))
                for column in range(-(-columns // per_block))
            ]
            for row in range(min(per_block, rows - first)):
                for column in range(columns):
                    file = opened[column // per_block]
                    page = file.pages[level]
                    index = row * -(-page.shape[1] // STORED) + column % per_block
                    file.filehandle.seek(page.dataoffsets[index])
                    yield file.filehandle.read(page.databytecounts[index])


def _joined(level, size, block_path):
    """Return a level smaller than those that blocks have."""
    import tifffile

    smallest, side = _levels_of_blocks() - 1, BLOCK >> level
    result = np.empty((*size, 3), np.uint8)
    for row, column in np.ndindex(*(-(-length // side) for length in size)):
        part = tifffile.imread(block_path(row, column), key=smallest)
        for _ in range(level - smallest):
            part = halved(part)
        top, left = row * side, column * side
        result[top : top + part.shape[0], left : left + part.shape[1]] = part
    return result
