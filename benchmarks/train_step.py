"""Prints the time of a training step of this package beside that of PyTorch, in one table.

    python benchmarks/train_step.py                                  # some minutes
    python benchmarks/train_step.py --sizes 256 --widths 64 --batches 1 4 --dtypes float32

Each contender is a process of its own, and two of them take steps in turn: this package's against
the best of PyTorch's (`torch_step.py`: eager and compiled, channels first and last). A time is the
median of a contender's steps; processor seconds are those of all cores together, which other work
on the machine hardly changes. PyTorch's rows are of its variants in turn; `PyTorch / package` is of
the pairs. Memory is the process's peak beyond what its imports take. With `--fit`, `fit / step`
is the time of a step in `fit`, with its pipeline of crops and flips, over that of the bare step. On
a GPU all contenders use it.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time

import machine

PACKAGE = {
    "TensorFlow": {"backend": "tensorflow"},
    "TensorFlow, XLA": {"backend": "tensorflow", "xla": True},
    # Its executor begins what it can: less at once holds less memory.
    "TensorFlow, one operation at a time": {"backend": "tensorflow", "serial": True},
    "JAX": {"backend": "jax"},
    "torch": {"backend": "torch"},
    "identity every 4th step": {"backend": "tensorflow", "every": 4},
    "remat": {"backend": "tensorflow", "remat": True},
}
PYTORCH = {
    "eager": {},
    "eager, channels last": {"channels_last": True},
    "compiled": {"compiled": True},
    "compiled, channels last": {"compiled": True, "channels_last": True},
}
HEADER = (
    "image | width | batch | dtype | contender | s a step | processor s | PyTorch / package "
    "| by processor s | peak memory "
    "| share of matmul peak | fit / step | first step"
)


def main():
    options = parse()
    peak = machine.matmul_peak(options.dtypes)
    print(f"{machine.describe()}. Matrix multiplication: ", end="")
    print(", ".join(f"{dtype} {peak[dtype] / 1e9:.0f} GFLOP/s" for dtype in peak) + ".\n")
    print(f"| {HEADER} |")
    print("|" + "---|" * (HEADER.count("|") + 1), flush=True)
    for size in options.sizes:
        for width in options.widths:
            for batch in options.batches:
                for dtype in options.dtypes:
                    Case(options, peak, size, width, batch, dtype).compare()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--widths", type=int, nargs="+", default=[32])
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    dtypes = ["float32", "bfloat16"]
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=None)
    parser.add_argument("--package", nargs="+", choices=PACKAGE, default=["TensorFlow", "JAX"])
    parser.add_argument("--pytorch", nargs="+", choices=PYTORCH, default=list(PYTORCH)[:2])
    parser.add_argument("--upsampling", choices=["transposed", "resize"], default="transposed")
    parser.add_argument("--blocks", type=int, help="Default: 9, or 6 below 256 pixels.")
    parser.add_argument("--seconds", type=float, default=12.0, help="For each pair.")
    parser.add_argument("--least", type=int, default=5, help="Steps of each, at least.")
    parser.add_argument("--fit", action="store_true", help="Measure steps in `fit`, too.")
    options = parser.parse_args()
    if options.dtypes is None:  # bfloat16 where it isn't emulated
        has = any(name in machine.describe() for name in ("bf16", "NVIDIA"))
        options.dtypes = dtypes if has else dtypes[:1]
    return options


class Case:
    """One size, width, batch and dtype, for all contenders."""

    def __init__(self, options, peak, size, width, batch, dtype):
        blocks = options.blocks or (9 if size >= 256 else 6)
        self.options, self.peak = options, peak[dtype]
        self.name = f"{size}² | {width} | {batch} | {dtype}"
        self.given = {
            "size": size,
            "width": width,
            "batch": batch,
            "blocks": blocks,
            "dtype": dtype,
            "upsampling": options.upsampling,
        }
        from torch_step import step_flops

        self.flops = step_flops(size, width, blocks, options.upsampling, batch)

    def compare(self):
        best, workers = None, {}
        for name in self.options.pytorch:
            workers[name] = machine.Worker(__file__, {**self.given, **PYTORCH[name]})
        times = self.alternate(workers)
        for name, seconds in times.items():
            self.row(f"PyTorch {name}", workers[name], seconds)
            if seconds and (best is None or seconds < times[best]):
                best = name
        for name, worker in workers.items():
            if name != best:
                worker.close()
        for name in self.options.package:
            given = {**self.given, **PACKAGE[name]}
            if importlib.util.find_spec(given["backend"]):
                environment = {"KERAS_BACKEND": given["backend"]}
                if given.get("serial"):
                    environment["TF_NUM_INTEROP_THREADS"] = "1"
                own = machine.Worker(__file__, given, environment)
                times = self.alternate({"own": own, "other": workers[best]})
                self.row(f"package, {name}", own, times["own"], times["other"])
                own.close()
        workers[best].close()

    def alternate(self, workers):
        """The median seconds of each worker's steps, which they take in turn; None if it died."""
        seconds = {name: [] for name in workers}
        end = time.perf_counter() + self.options.seconds
        rounds = 0
        while rounds < self.options.least or time.perf_counter() < end:
            for name, worker in workers.items():
                seconds[name].append(worker.facts and worker.ask())
            rounds += 1
        return {
            name: None if None in both else tuple(map(statistics.median, zip(*both, strict=True)))
            for name, both in seconds.items()
        }

    def row(self, contender, worker, times, other=None):
        """Print a row, of `(seconds, processor seconds)` and those of the best of PyTorch."""
        if times is None:
            print(f"| {self.name} | {contender} | doesn't run |||||||", flush=True)
            return
        seconds, used = times
        ratios = [f"{theirs / own:.2f}" for own, theirs in zip(times, other or (), strict=False)]
        share = self.flops / seconds / self.peak
        asked = self.options.fit and contender.startswith("package")
        fit = worker.ask("fit") if asked else None
        cells = [
            self.name,
            contender,
            f"{seconds:.3f}",
            f"{used:.3f}",
            *(ratios or ("", "")),
            f"{worker.ask('memory') / 2**20:.0f} MiB",
            f"{share:.0%}",
            f"{fit:.2f}" if fit else "",
            f"{worker.facts['first_step']:.0f} s",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


# --- in a process of its own --------------------------------------------------------------------


def work(given):
    work_in_package(given) if "backend" in given else work_in_pytorch(given)


def images(given):
    import numpy as np

    shape = (2, given["batch"], given["size"], given["size"], 3)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def work_in_pytorch(given):
    import torch
    from torch_step import TrainingStep

    facts = {"base": machine.memory_now()}
    a, b = (torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in images(given))
    step = TrainingStep(
        given["width"],
        given["blocks"],
        given["upsampling"],
        given.get("channels_last", False),
        given.get("compiled", False),
        given["dtype"] == "bfloat16",
        "cuda" if torch.cuda.is_available() else "cpu",
    )
    machine.serve(lambda: step(a, b), facts)


def work_in_package(given):
    import keras_cyclegan as kcg  # before Keras, so that it can choose TensorFlow's kernels

    CycleGAN, networks = kcg.CycleGAN, kcg.networks
    facts = {"base": machine.memory_now()}
    shape = (given["size"], given["size"], 3)
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[given["dtype"]]
    own = {
        "filters": given["width"],
        "num_blocks": given["blocks"],
        "upsampling": given["upsampling"],
        "dtype": policy,
    }
    model = CycleGAN(
        *(networks.ResNetGenerator(shape, **own) for _ in range(2)),
        *(networks.PatchDiscriminator(shape, dtype=policy) for _ in range(2)),
        image_shape=shape,
    )
    every = given.get("every", 1)
    options = {"remat": True} if given.get("remat") else {}
    if every > 1:
        options["identity_loss"] = kcg.losses.IdentityLoss(every=every)
    model.compile(jit_compile=given.get("xla", "auto"), **options)
    a, b = images(given)

    def steps():
        for _ in range(every):
            model.train_on_batch(a, b)

    machine.serve(steps, facts, every, fit=lambda: fit_ratio(model, a, b))


def fit_ratio(model, a, b):
    """Time of a step in `fit`, with its pipeline, over that of a bare step, in turn."""
    import keras
    import numpy as np

    from keras_cyclegan import data

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # waits for the step
            ends.append(time.perf_counter())

    count, size = len(a), a.shape[1]
    load = size + size // 8
    draw = np.random.default_rng(0).integers
    sets = [draw(0, 256, (8, load, load, 3), "uint8") for _ in range(2)]
    train = data.unpaired_dataset(*sets, size, count, seed=0, steps_per_epoch=12)
    ratios = []
    for _ in range(3):
        ends = []
        model.fit(train, epochs=1, verbose=0, callbacks=[Clock()])
        bare = []
        for _ in range(8):
            start = time.perf_counter()
            model.train_on_batch(a, b)
            bare.append(time.perf_counter() - start)
        ratios.append(statistics.median(np.diff(ends)) / statistics.median(bare))
    return statistics.median(ratios)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        work(json.loads(sys.argv[2]))
    else:
        main()
