"""Prints what a slide costs, and whether tiles of two sizes agree.

    python benchmarks/slide.py --side 20000

A slide is drawn (violet cells in round pieces of tissue on glass) and translated into a pyramid by
a process of its own for each size of tiles, by a small untrained network or a preset. Memory is the
process's resident set (Linux): what it holds when it has loaded the model and translated one small
image, and its peak from then on. `python benchmarks/slide_samples.py` measures the statistics.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np

TILE = 256
PART = 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", help="default: an untrained ResNet of 2 blocks, 8 filters")
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--tiles", type=int, nargs="+", default=[256, 512])
    parser.add_argument(
        "--tissue", type=float, default=0.3, help="radius of its pieces, by spacing"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    if arguments.one:
        return translate_one(**json.loads(arguments.one))
    print(machine.describe(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "slide.tif")
        draw_slide(source, arguments.side, arguments.tissue)
        print("| tiles | seconds | processor seconds | with the model loaded | peak |")
        print("|---|---|---|---|---|", flush=True)
        targets = [Path(folder, f"{tile}.tif") for tile in arguments.tiles]
        for tile, target in zip(arguments.tiles, targets, strict=True):
            options = {"preset": arguments.preset, "tile": tile}
            options |= {"source": str(source), "target": str(target)}
            command = [sys.executable, __file__, "--one", json.dumps(options)]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if ended.returncode:  # negative: the number of a signal
                return f"The process of tiles of {tile} ended with status {ended.returncode}."
            print(ended.stdout.splitlines()[-1], flush=True)
        print(f"\nLargest difference: {difference(*targets[:2])} of 255 levels.")
    return None


def translate_one(preset, source, target, tile):
    """Translate, with the progress and the memory on stderr; print a row."""
    import keras

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.inference.slides import translate_slide
    from keras_cyclegan.networks import ResNetGenerator

    keras.utils.set_random_seed(0)
    if preset:
        model = CycleGAN.from_preset(preset)
    else:
        generator = ResNetGenerator((256, 256, 3), filters=8, num_blocks=2)
        model = CycleGAN(generator, None, None, None)
    model.translate(np.zeros((64, 64, 3), "uint8"))
    loaded = machine.memory_now()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    start, used = time.perf_counter(), time.process_time()
    for done, total in translate_slide(model, source, target, tile=tile, compression="deflate"):
        memory = machine.memory_now() >> 20
        print(f"{done} of {total} blocks, {memory} MiB", file=sys.stderr, flush=True)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = machine.memory_now("VmHWM")
    print(f"| {tile} | {seconds:.0f} | {used:.0f} | {loaded >> 20} MiB | {peak >> 20} MiB |")


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
    options["metadata"] = None
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for step in (1, 4):
            count = -(-(side // step) // TILE)
            tiles = (tile(row, column, step) for row in range(count) for column in range(count))
            kind = {"subifds": 1} if step == 1 else {"subfiletype": 1}
            file.write(tiles, shape=(side // step, side // step, 3), **options, **kind)


def difference(first, second):
    from keras_cyclegan.inference.slide_files import open_slide

    slides, most = [open_slide(path) for path in (first, second)], 0
    height, width = slides[0].sizes[0]
    for top in range(0, height, PART):
        rows, columns = slice(top, min(top + PART, height)), slice(0, width)
        one, other = (slide.read(0, rows, columns) for slide in slides)
        most = max(most, int((np.maximum(one, other) - np.minimum(one, other)).max()))
    return most


if __name__ == "__main__":
    sys.exit(main())
