"""Prints how many images a second the training data come at, beside a PyTorch `DataLoader`.

    python benchmarks/input_pipeline.py

It makes JPEG files of two domains, and has both do the same with them: resize to 286×286 bicubic
and antialiased, cut 256×256 out, flip, scale to [-1, 1], batches of 1. *Cold* is the first pass,
start included: this package decodes and resizes each file once, into its cache (`data.load`); the
`DataLoader` decodes and resizes at every pass, with Pillow, as the authors' code does. *Warm* is
the second pass. The loader's best number of processes counts.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import machine

SIDE, LOAD, CROP = 512, 286, 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300, help="Of each domain.")
    parser.add_argument("--processes", type=int, nargs="+", default=[0, os.cpu_count()])
    options = parser.parse_args()
    print(f"{machine.describe()}; {2 * options.images} JPEG files of {SIDE}×{SIDE}.\n")
    print("| | images a second, cold | warm |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder, "images"), options.images)
        given = {"images": str(Path(folder, "images")), "count": options.images}
        home = {"KERAS_HOME": str(Path(folder, "home"))}
        own = measure({**given, "loader": "package"}, home)
        row("this package", own)
        others = []
        for processes in options.processes:
            others.append(measure({**given, "loader": "torch", "processes": processes}, home))
            row(f"DataLoader, {processes} processes", others[-1])
    ratios = [ours / max(theirs) for ours, *theirs in zip(own, *others, strict=True)]
    print(f"| package / best DataLoader | {ratios[0]:.1f} | {ratios[1]:.1f} |")


def row(name, rates):
    print(f"| {name} | {rates[0]:.0f} | {rates[1]:.0f} |", flush=True)


def make_files(folder, count):
    """Photographs of a kind: smooth shapes and some noise, which JPEG works as hard on."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for domain in "AB":
        to = folder / f"train{domain}"
        to.mkdir(parents=True)
        for i in range(count):
            small = Image.fromarray(random.integers(0, 256, (32, 32, 3), "uint8"))
            large = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), "int16")
            noisy = large + random.integers(-12, 13, large.shape)
            Image.fromarray(noisy.clip(0, 255).astype("uint8")).save(to / f"{i}.jpg", quality=90)


def measure(given, environment):
    """Images a second in the first and in the second pass."""
    worker = machine.Worker(__file__, given, environment)
    worker.close()
    return worker.facts["rates"]


# --- in a process of its own --------------------------------------------------------------------


def work(given):
    start, batches = LOADERS[given["loader"]](given)
    rates = []
    for _ in range(2):
        for _ in batches:
            pass
        rates.append(2 * given["count"] / (time.perf_counter() - start))
        start = time.perf_counter()
    machine.serve(lambda: None, {"rates": rates, "base": 0})


def read_with_package(given):
    import tensorflow as tf  # noqa: F401

    from keras_cyclegan import data

    start = time.perf_counter()
    train, _ = data.load(given["images"], image_size=CROP, load_size=LOAD, seed=0)
    return start, train


def read_with_torch(given):
    import numpy as np
    import torch
    from PIL import Image

    class Unpaired(torch.utils.data.Dataset):
        def __init__(self, folder):
            self.files = [sorted(Path(folder, f"train{domain}").iterdir()) for domain in "AB"]

        def __len__(self):
            return len(self.files[0])

        def __getitem__(self, index):
            other = torch.randint(len(self.files[1]), ()).item()
            return self.read(self.files[0][index]), self.read(self.files[1][other])

        def read(self, path):
            image = Image.open(path).convert("RGB").resize((LOAD, LOAD), Image.Resampling.BICUBIC)
            top, left = torch.randint(LOAD - CROP + 1, (2,)).tolist()
            image = image.crop((left, top, left + CROP, top + CROP))
            if torch.rand(()) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
            return pixels.float().div_(127.5).sub_(1.0)

    torch.set_num_threads(os.cpu_count())
    start = time.perf_counter()
    processes = given["processes"]
    dataset = Unpaired(given["images"])
    return start, torch.utils.data.DataLoader(dataset, 1, True, num_workers=processes)


LOADERS = {"package": read_with_package, "torch": read_with_torch}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
