"""Training steps on a GPU beside PyTorch's: milliseconds, images a second, and peak memory.

    python benchmarks/gpu.py [--size 256] [--batch 1 8] [--json FILE]
    python benchmarks/gpu.py --data path/with/trainA/trainB --out run --minutes 20

Each row is a process of its own. All are started together and compile side by side; then one after
the other runs alone. Rows of the package take its own `train_step`, jitted, on images that lie on
the device, ten steps a dispatch. PyTorch's rows are `torch_step.py`. Float32 is TF32 on both sides,
where the GPU has it. TensorFlow isn't needed. `--toy` measures nothing: it runs every row at a size
for a processor.

With `--data` recipe `fast` is then trained by the package's own command for so many minutes, which
keeps its preset every two of them.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

TOGETHER = 10  # steps a dispatch
REPEATS = 5


def rows(size, batches, toy):
    """The rows of the table: dicts, what a process is told."""
    common = {"size": size, "width": 4 if toy else 64, "blocks": 1 if toy else 9, "toy": toy}
    for batch in batches:
        for dtype in ("float32",) if toy else ("float32", "bfloat16"):
            for what in ("torch", "package"):
                yield {"what": what, "batch": batch, "dtype": dtype, **common}
    if not toy:
        last = {"batch": batches[-1], "dtype": "bfloat16", **common}
        yield {"what": "torch", "compiled": True, **last}
        yield {"what": "translate", **last | {"dtype": "float32"}}
        yield {"what": "translate", **last}
    for batch in batches:
        yield {"what": "feature", "batch": batch, "dtype": "float32", **common}


def title(row):
    names = {
        "torch": "PyTorch, eager",
        "package": "package, JAX",
        "feature": "package, JAX, recipe `fast`, 128×128",
        "translate": "package, JAX, `translate`",
    }
    return "PyTorch, `torch.compile`" if row.get("compiled") else names[row["what"]]


# --- what one process measures ---


def timed(function):
    """Median seconds of a call, after one more that isn't counted."""
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def torch_row(row, wait):
    import torch
    from torch_step import TrainingStep

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    shape = row["batch"], 3, row["size"], row["size"]
    a, b = (torch.rand(shape, device=device) * 2 - 1 for _ in range(2))
    step = TrainingStep(
        row["width"],
        row["blocks"],
        "transposed",
        channels_last=device == "cuda",
        compiled=row.get("compiled", False),
        bfloat16=row["dtype"] == "bfloat16",
        device=device,
    )
    for _ in range(1 if row["toy"] else 3):
        step(a, b)
    wait()
    count = 1 if row["toy"] else TOGETHER
    seconds = timed(lambda: [step(a, b) for _ in range(count)]) / count
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return {"step": seconds, "peak": peak}


def numpy_initialisers():
    """Draw weights with numpy: a time isn't changed, and JAX compiles nothing for each shape."""
    import keras
    import numpy as np

    def normal(self, shape, dtype=None):
        return 0.02 * np.random.default_rng(0).standard_normal(shape).astype("float32")

    keras.initializers.RandomNormal.__call__ = normal
    keras.initializers.GlorotUniform.__call__ = normal


def build(row):
    import keras

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.networks import (
        FeatureGenerator,
        PatchDiscriminator,
        ProjectedDiscriminator,
        ResNetGenerator,
    )

    numpy_initialisers()
    keras.config.set_dtype_policy("mixed_bfloat16" if row["dtype"] == "bfloat16" else row["dtype"])
    side = row["size"]
    if row["what"] == "feature":
        side = 64 if row["toy"] else 128
        generators = [FeatureGenerator((side, side, 3)) for _ in range(2)]
        judges = [ProjectedDiscriminator((side, side, 3), augmentation={}) for _ in range(2)]
        options = {"identity_loss": None, "ema_momentum": 0.999}
    else:
        generators = [
            ResNetGenerator((side, side, 3), filters=row["width"], num_blocks=row["blocks"])
            for _ in range(2)
        ]
        judges = [PatchDiscriminator((side, side, 3)) for _ in range(2)]
        options = {}
    model = CycleGAN(*generators, *judges, image_shape=(side, side, 3))
    model.compile(**options)
    return model, side


def package_row(row, wait):
    import jax
    import numpy as np

    model, side = build(row)
    shape = row["batch"], side, side, 3
    a, b = (np.random.default_rng(i).uniform(-1, 1, shape).astype("float32") for i in range(2))
    groups = [
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    ]
    state = tuple([variable.value for variable in group] for group in groups)
    count = 1 if row["toy"] else TOGETHER

    def several(state, a, b):
        def one(state, _):
            logs, state = model.train_step(state, (a, b))
            return tuple(map(list, state)), logs["loss"]

        return jax.lax.scan(one, state, length=count)

    start = time.perf_counter()
    on_device = jax.device_put((a, b))
    run = jax.jit(several, donate_argnums=0).lower(state, *on_device).compile()
    found = {"compile": time.perf_counter() - start}
    wait()

    def dispatch():
        nonlocal state
        state, losses = run(state, *on_device)
        jax.block_until_ready(losses)

    found["step"] = timed(dispatch) / count
    found["peak"] = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return found


def translate_row(row, wait):
    import numpy as np

    model, side = build(row | {"what": "package"})
    shape = (8 * row["batch"], side, side, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    model.translate(images)
    wait()
    seconds = timed(lambda: model.translate(images))
    return {"step": seconds / 8}


def work(row):
    """Measure a row in this process; print `ready`, wait for a line, and print the result."""
    # Standard output is for the process that started this one: what libraries print goes elsewhere.
    answers, sys.stdout = sys.stdout, sys.stderr

    def wait():
        print("ready", file=answers, flush=True)
        sys.stdin.readline()

    kinds = {"torch": torch_row, "translate": translate_row}
    found = kinds.get(row["what"], package_row)(row, wait)
    print(json.dumps(found), file=answers, flush=True)


# --- all of them ---


def environment():
    found = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    found.setdefault("KERAS_BACKEND", "jax")
    # The package beside this file, also where it isn't installed.
    root = str(pathlib.Path(__file__).resolve().parents[1])
    found["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    return found


def start(row):
    command = [sys.executable, __file__, "--worker", json.dumps(row)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, env=environment(), text=True, **pipes)


def measure(chosen, together):
    """Yield each row with what its process found, which is None where it failed."""
    if not together:
        for row in chosen:
            yield from measure([row], True)
        return
    processes = [start(row) for row in chosen]
    for process in processes:
        process.stdout.readline()
    for row, process in zip(chosen, processes, strict=True):
        found = None
        if process.poll() is None:
            process.stdin.write("go\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            found = json.loads(answer) if answer else None
        process.stdin.close()
        process.wait()
        yield row, found


def line(row, found):
    cells = [title(row), row["dtype"], row["batch"]]
    if found is None:
        return f"| {' | '.join(map(str, cells))} | failed | | | |"
    seconds = found["step"]
    cells += [f"{1000 * seconds:.1f}", f"{row['batch'] / seconds:.0f}"]
    cells.append(f"{found['peak'] / 2**30:.1f}" if found.get("peak") else "–")
    cells.append(f"{found['compile']:.0f}" if "compile" in found else "–")
    return f"| {' | '.join(map(str, cells))} |"


def train(data, folder, minutes, toy):
    """Train recipe `fast` for so long, and say what there is of it; an error's status is told."""
    command = [sys.executable, "-m", "keras_cyclegan", "train", data, "--out", folder]
    command += ["--recipe", "fast", "--half-precision", "--schedule", "constant"]
    size = ["--image-size", "64", "--steps-per-epoch", "2", "--epochs", "1"]
    process = subprocess.Popen(
        [*command, *(size if toy else ["--epochs", "1000"])], env=environment()
    )
    try:
        if status := process.wait(60 * minutes):
            return f"The training ended with status {status}."
    except subprocess.TimeoutExpired:
        process.terminate()  # it ends after its step, with a checkpoint
        process.wait()
    files = [path.stat().st_size for path in pathlib.Path(folder, "preset").iterdir()]
    print(f"\n{folder}/preset: {len(files)} files, the largest of {max(files) / 2**20:.1f} MiB")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="side of the images")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], help="batch sizes")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--data", help="images to train on when all is measured")
    parser.add_argument("--out", default="gpu_run", help="folder of that training")
    parser.add_argument("--minutes", type=float, default=20, help="its length")
    parser.add_argument("--apart", action="store_true", help="don't compile side by side")
    parser.add_argument("--toy", action="store_true", help="toy size: checks, measures nothing")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(json.loads(arguments.worker))

    from machine import describe

    print(describe(), flush=True)
    print("\n| step | dtype | batch | ms | images a second | peak GiB | compiled in s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    kept = []
    chosen = list(rows(arguments.size, arguments.batch, arguments.toy))
    for row, found in measure(chosen, not arguments.apart):
        print(line(row, found), flush=True)
        kept.append(row | (found or {"failed": True}))
        if arguments.json:
            pathlib.Path(arguments.json).write_text(json.dumps(kept, indent=1))
    if arguments.data:
        return train(arguments.data, arguments.out, arguments.minutes, arguments.toy)
    return None


if __name__ == "__main__":
    sys.exit(main())
