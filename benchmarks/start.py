"""Prints what a program waits for before its first image, beside `import keras` alone.

    python benchmarks/start.py

Each line is of new processes, which take turns: medians of `--repeats`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import machine

IMPORTS = {
    "`import keras`": "import keras",
    "`import keras_cyclegan`": "import keras_cyclegan",
    "`from keras_cyclegan import CycleGAN`": "from keras_cyclegan import CycleGAN",
    "`from_preset`, and an image of 128×128 translated": (
        "import numpy, keras_cyclegan; "
        "model = keras_cyclegan.CycleGAN.from_preset('horse2zebra'); "
        "model.translate(numpy.zeros((128, 128, 3), 'uint8'), direction='a_to_b')"
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    times = {name: [] for name in IMPORTS}
    for _ in range(options.repeats + 1):
        for name, code in IMPORTS.items():
            times[name].append(seconds(code))
    print(f"{machine.describe()}.\n")
    print("| | s | processor s | of `import keras` |\n|---|---|---|---|")
    alone = None
    for name, found in times.items():
        found = found[1:]  # the first one filled the disk's cache
        clock, processor = (statistics.median(each) for each in zip(*found, strict=True))
        alone = alone or processor
        print(f"| {name} | {clock:.2f} | {processor:.2f} | {processor / alone:.2f} |")


def seconds(code):
    """By the clock, and of the processor, of a Python that runs `code`."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    after = os.times()
    processor = sum(after[i] - before[i] for i in (2, 3))  # of children: user and system
    return time.perf_counter() - start, processor


if __name__ == "__main__":
    main()
