"""Prints where a training step's time goes, in this package and in PyTorch.

    python benchmarks/step_profile.py                    # some minutes
    python benchmarks/step_profile.py --size 256 --width 64

Both hand their convolutions to oneDNN, which says itself how long each takes (ONEDNN_VERBOSE); the
rest of the step is norms, paddings, losses and updates. On one thread, so that times add up. The
speed of convolutions counts the products that each does, as a share of that of this machine's
matrix multiplication on one thread.
"""

import argparse
import math
import re
import statistics
from collections import Counter
from pathlib import Path

import machine

STEP = Path(__file__).with_name("train_step.py")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
CONTENDERS = {"PyTorch": {}, "package": {"backend": "tensorflow"}}
CONVOLUTIONS = {
    "forward": "convolutions forward",
    "backward_data": "their gradients to images",
    "backward_weights": "their gradients to weights",
}
HEADER = ["dtype", "contender", *CONVOLUTIONS.values(), "reordering", "others of oneDNN"]
HEADER += ["all else", "step", "share of matmul peak in convolutions"]


def main():
    options = parse()
    peak = machine.matmul_peak(options.dtypes, ONE_THREAD)
    print(f"{machine.describe()}. Milliseconds on one thread.\n")
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}", flush=True)
    for dtype in options.dtypes:
        for name, contender in CONTENDERS.items():
            given = vars(options) | contender | {"dtype": dtype, "batch": 1}
            worker = machine.Worker(STEP, given, ONE_THREAD | {"ONEDNN_VERBOSE": "1"})
            steps = [profile(worker) for _ in range(options.steps)]
            worker.close()
            print(row(dtype, name, steps, peak[dtype]), flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--upsampling", choices=["transposed", "resize"], default="transposed")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--steps", type=int, default=7, help="of which the median counts")
    return parser.parse_args()


def profile(worker):
    """`{kind: milliseconds}` of one step, and its products: `{"flops": …}`."""
    seconds, _ = worker.ask()
    found = Counter()
    for line in worker.printed:
        if ",exec," in line:
            kind, milliseconds, flops = read(line)
            found[kind] += milliseconds
            found["flops"] += flops
    found["step"] = 1e3 * seconds
    return found


def read(line):
    """`(kind, milliseconds, floating-point operations)` of a line that oneDNN prints."""
    cells = line.split(",exec,")[1].strip().split(",")
    _, primitive, _, direction = cells[:4]
    milliseconds = float(cells[-1])
    if primitive not in ("convolution", "deconvolution"):
        return ("reordering" if primitive == "reorder" else "others of oneDNN"), milliseconds, 0
    direction = next(name for name in CONVOLUTIONS if direction.startswith(name))
    sizes = {name: int(size) for name, size in re.findall(r"(mb|[io][chw]|k[hw])(\d+)", cells[-2])}
    maps = "i" if primitive == "deconvolution" else "o"  # on whose points the kernel is laid
    points = sizes[f"{maps}h"] * sizes.get(f"{maps}w", sizes[f"{maps}h"])
    kernel = sizes["kh"] * sizes.get("kw", sizes["kh"])
    flops = 2 * math.prod(sizes[name] for name in ("mb", "ic", "oc")) * points * kernel
    return CONVOLUTIONS[direction], milliseconds, flops


def row(dtype, name, steps, peak):
    kinds = HEADER[2:-3]
    medians = {kind: statistics.median(step[kind] for step in steps) for kind in (*kinds, "step")}
    rest = medians["step"] - sum(medians[kind] for kind in kinds)
    convolutions = sum(medians[kind] for kind in CONVOLUTIONS.values())
    share = statistics.median(step["flops"] for step in steps) / (convolutions / 1e3) / peak
    times = [*(medians[kind] for kind in kinds), rest, medians["step"]]
    return f"| {dtype} | {name} | {' | '.join(f'{t:.0f}' for t in times)} | {share:.0%} |"


if __name__ == "__main__":
    main()
