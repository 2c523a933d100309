"""Prints what tiling costs and changes: peak memory, time, the difference to the whole image.

    python benchmarks/tiles.py

Each row is a process of its own that makes an image, brighter and rougher from left to right, and
translates it with an untrained ResNet of 9 blocks: memory, time and rounding ask for no trained
weights. Peak memory is the process's largest resident set during the translation (Linux), the
image and its translation included. Time is the processor's, of all cores together, so that other
processes hardly change it. The difference is in grey levels; at borders means within 4 pixels of
where two tiles meet.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BORDER = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--whole-up-to", type=int, default=4096, help="largest size untiled")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1, help="the median time is printed")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    if arguments.one:
        return translate_one(**json.loads(arguments.one))

    print("| image | peak, tiled | peak, whole | time, tiled | time, whole | largest difference "
          "| differing pixels at borders | inside |")  # fmt: skip
    print("|" + "---|" * 8)
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            tiled, whole = Path(folder, "tiled.npy"), Path(folder, "whole.npy")
            cells = [measure(arguments, size, arguments.tile, tiled), ("–", "–")]
            differences = ["–"] * 3
            if size <= arguments.whole_up_to:
                cells[1] = measure(arguments, size, None, whole)
                differences = compare(np.load(tiled), np.load(whole), arguments.tile)
        (peak_tiled, time_tiled), (peak_whole, time_whole) = cells
        row = [f"{size}²", peak_tiled, peak_whole, time_tiled, time_whole, *differences]
        print("| " + " | ".join(row) + " |", flush=True)
    return None


def measure(arguments, size, tile, target):
    options = {"size": size, "tile": tile, "filters": arguments.filters, "target": str(target)}
    command = [sys.executable, __file__, "--one", json.dumps(options)]
    found = []
    for _ in range(arguments.repeats):
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found.append(json.loads(output.splitlines()[-1]))
    seconds = statistics.median(one["seconds"] for one in found)
    return f"{max(one['peak'] for one in found) / 2**20:.0f} MiB", f"{seconds:.0f} s"


def translate_one(size, tile, filters, target):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.networks import ResNetGenerator

    keras.utils.set_random_seed(0)
    generator = ResNetGenerator((None, None, 3), filters=filters, num_blocks=9)
    model = CycleGAN(generator, None, None, None)
    image = uneven(size)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    start = time.process_time()
    translation = model.translate(image, tile=tile)
    seconds = time.process_time() - start
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    np.save(target, translation)
    print(json.dumps({"peak": peak, "seconds": seconds}))


def uneven(size):
    """Made row by row, so that making it takes no more memory than having it."""
    rng = np.random.default_rng(0)
    image = np.empty((size, size, 3), "uint8")
    ramp = np.linspace(0, 1, size)[:, None]
    for row in image:
        row[:] = 178 * ramp + 76 * ramp**4 * rng.random((size, 3))
    return image


def compare(tiled, whole, tile):
    """The largest difference, and the share of differing pixels at tile borders and inside."""
    difference = np.abs(tiled.astype("int16") - whole).max(axis=2)
    place = np.arange(len(tiled))
    near = (place >= tile - BORDER) & ((place + BORDER) % tile < 2 * BORDER)
    near &= place < place[-1] // tile * tile + BORDER
    at_border = near[:, None] | near[None, :]
    shares = [f"{(difference[where] > 0).mean():.4%}" for where in (at_border, ~at_border)]
    return [str(difference.max()), *shares]


if __name__ == "__main__":
    main()
