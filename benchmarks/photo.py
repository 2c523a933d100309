"""Prints what a phone's photo costs: at its own size, at the working size, by the bare network.

    python benchmarks/photo.py --preset glyphs

At its own size it goes through in tiles. A preset of whole photos translates at its working size
and brings the change to all pixels. The bare network is called on parts of the photo, without a
norm over the whole and without a finished picture: no translation of every pixel can take less.
Time is the processor's, of all cores together, so that other processes hardly change it; peak
memory is the process's largest resident set (Linux).
"""

import argparse
import os
import resource
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import machine
import numpy as np

from keras_cyclegan import CycleGAN

PART = 1000  # side of a part


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="glyphs")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(3000, 4000), metavar=("ROWS", "COLUMNS")
    )
    parser.add_argument("--dtypes", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--repeats", type=int, default=3, help="the median is printed")
    arguments = parser.parse_args()
    print(machine.describe(), end="\n\n")
    print("| dtype | own size | bare network | ratio | working size | peak memory |")
    print("|---|---|---|---|---|---|")
    for dtype in arguments.dtypes:
        keras.config.set_dtype_policy(dtype)
        model = CycleGAN.from_preset(arguments.preset)
        channels = model.generator_ab.input_shape[-1]
        random = np.random.default_rng(0)
        photo = random.integers(0, 256, (*arguments.size, channels), "uint8")
        part = random.uniform(-1, 1, (1, PART, PART, channels)).astype("float32")
        parts = photo[..., 0].size / PART**2
        model.predict(part, verbose=0)  # compiles
        bare = parts * cost(lambda: model.predict(part, verbose=0), arguments.repeats)  # noqa: B023
        reduced = "–"
        if model.working_size:
            reduced = f"{cost(lambda: model.translate(photo), arguments.repeats):.1f} s"  # noqa: B023
        own = lambda: model.translate(photo, working_size=None)  # noqa: B023, E731
        whole = cost(own, arguments.repeats)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {dtype} | {whole:.0f} s | {bare:.0f} s | {whole / bare:.2f} | {reduced} "
            f"| {memory:.0f} MiB |",
            flush=True,
        )


def cost(function, repeats):
    """Return the median of the processor seconds of a call."""
    times = []
    for _ in range(repeats):
        before = time.process_time()
        function()
        times.append(time.process_time() - before)
    return statistics.median(times)


if __name__ == "__main__":
    main()
