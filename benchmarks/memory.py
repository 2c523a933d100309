"""Prints what a whole translation takes by estimate, by which tiles are chosen, and really.

    python benchmarks/memory.py

Each row is a process of its own that translates one image as a whole, after a small one. The peak
is how much the process's resident set grew (Linux).
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

NETWORKS = (
    "ResNetGenerator((256, 256, 3))",
    "ResNetGenerator((256, 256, 3), filters=24, num_blocks=4)",
    "ResNetGenerator((256, 256, 3), filters=32, num_blocks=6, upsampling='resize')",
    "ResNetGenerator((256, 256, 3), filters=32, num_blocks=2, block='separable')",
    "ResNetGenerator((256, 256, 3), filters=32, num_blocks=2, dtype='mixed_bfloat16')",
    "UNetGenerator((256, 256, 3), num_downsamplings=8)",
    "AttentionGenerator((256, 256, 3), filters=32, num_blocks=2)",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    if arguments.one:
        return translate_one(arguments.one, arguments.size)
    print("| network | estimate, bytes a pixel | peak, bytes a pixel |")
    print("|---|---|---|")
    for network in NETWORKS:
        command = [sys.executable, __file__, "--size", str(arguments.size), "--one", network]
        print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, end="")


def translate_one(network, size):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    from keras_cyclegan import CycleGAN, networks
    from keras_cyclegan.inference.runner import runner

    generator = eval(network, vars(networks))  # one of the strings above
    model = CycleGAN(generator, None, None, None)
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), "uint8")
    model.translate(image[:256, :256], tile=None)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    model.translate(image, tile=None)
    peak = (resident("VmHWM") - before) / size**2
    estimate = runner(generator).bytes_for(size, size) / size**2
    print(f"| `{network.replace('(256, 256, 3)', '…')}` | {estimate:.0f} | {peak:.0f} |")


def resident(kind):
    return int(Path("/proc/self/status").read_text().split(f"{kind}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
