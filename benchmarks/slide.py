"""Prints what a slide costs, whether tiles of two sizes agree, and how many samples it takes.

    python benchmarks/slide.py --side 20000 --preset glyphs

A slide is drawn (violet cells in round pieces of tissue on glass), translated into a pyramid with
two sizes of tiles, and compared. Then parts of it are translated with exact statistics, as
`translate` does, and with those of 1, 2, 4, … samples: the difference is in grey levels. Time is
the clock's, peak memory the process's largest resident set (Linux).
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np

from keras_cyclegan import CycleGAN
from keras_cyclegan.inference.slide_files import open_slide
from keras_cyclegan.inference.slides import find_tissue, tissue_samples, translate_slide

TILE = 256
PART = 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="glyphs")
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--tiles", type=int, nargs="+", default=[512, 1024])
    parser.add_argument(
        "--tissue", type=float, default=0.3, help="radius of its pieces, by spacing"
    )
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    arguments = parser.parse_args()
    model = CycleGAN.from_preset(arguments.preset)
    model.set_scale("detail")
    print(machine.describe(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "slide.tif")
        draw_slide(source, arguments.side, arguments.tissue)
        translations = [
            translated(model, source, Path(folder, f"{tile}.tif"), tile) for tile in arguments.tiles
        ]
        print(f"\nLargest difference: {difference(*translations[:2])} of 255 levels.\n")
        print_curve(model, source, arguments.samples)


def draw_slide(path, side, radius):
    """Write a pyramid of two levels, tile by tile: a draw for each tile, the same at each call."""
    import tifffile

    spacing = 8 * TILE

    def tile(row, column, step):
        rng = np.random.default_rng(row * 100_003 + column)
        y, x = (np.arange(first * TILE, (first + 1) * TILE) * step for first in (row, column))
        away = np.hypot(y[:, None] % spacing - spacing / 2, x[None] % spacing - spacing / 2)
        waves = np.sin(y[:, None] / 11 + np.sin(x[None] / 29)) * np.cos(x[None] / 13)
        tint = np.stack([170 + 40 * waves, 110 + 60 * waves, 160 + 30 * waves], axis=-1)
        tint += 60 * (y[:, None, None] / side - 0.5) + rng.normal(0, 6, (TILE, TILE, 1))
        shown = np.where((away < radius * spacing)[:, :, None], tint, 243)
        return np.clip(shown, 0, 255).astype("uint8")

    options = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "jpeg", "dtype": "uint8"}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for step in (1, 16):
            count = -(-(side // step) // TILE)
            tiles = (tile(row, column, step) for row in range(count) for column in range(count))
            kind = {"subifds": 1} if step == 1 else {"subfiletype": 1}
            file.write(tiles, shape=(side // step, side // step, 3), **options, **kind)


def translated(model, source, target, tile):
    """Translate and print a row; return the path of the translation."""
    start = time.perf_counter()
    for done, total in translate_slide(model, source, target, tile=tile, compression="deflate"):
        print(f"\r{done} of {total} blocks", end="", flush=True)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\rtiles of {tile}: {seconds:.0f} s, peak memory of the process {memory:.0f} MiB")
    return target


def difference(first, second):
    slides, most = [open_slide(path) for path in (first, second)], 0
    height, width = slides[0].sizes[0]
    for top in range(0, height, PART):
        rows, columns = slice(top, min(top + PART, height)), slice(0, width)
        one, other = (slide.read(0, rows, columns) for slide in slides)
        most = max(most, int(np.abs(one.astype(int) - other).max()))
    return most


def print_curve(model, source, counts):
    """Differences of frozen statistics from exact ones, on parts of tissue that are no samples."""
    slide = open_slide(source)
    parts = tissue_samples(slide, 0, find_tissue(slide), 2 * max(counts))
    held_out, samples = parts[: max(counts)], parts[max(counts) :]
    mosaic = np.concatenate([np.concatenate(held_out[i::8], axis=0) for i in range(8)], axis=1)
    exact = model.translate(mosaic).astype(int)
    print("| samples | mean difference from exact statistics, grey levels |\n|---|---|")
    for count in counts:
        frozen = model.freeze_statistics(samples[:count])
        away = np.abs(frozen.translate(mosaic) - exact).mean()
        print(f"| {count} | {away:.2f} |", flush=True)


if __name__ == "__main__":
    main()
