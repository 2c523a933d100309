"""Prints what a phone's photo costs, from a JPEG file to a JPEG file.

    python benchmarks/photo.py --preset horse2zebra
    python benchmarks/photo.py --preset glyphs --ways "own size" "bare network"

Each way is a process of its own. A preset of whole photos translates at its working size and brings
the change to all pixels; at its own size a photo goes through in tiles. The bare network is called
on parts of the photo, without a norm over the whole and without a finished picture: no translation
of every pixel can take less. The command is `keras-cyclegan translate`, with Python's start and all
imports. Memory is the process's resident set (Linux): when it has loaded the model and translated
one small image, and its peak from then on.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np

WAYS = ("working size", "own size", "bare network", "command")
PART = 1000  # side of a part


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="horse2zebra")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["working size", "command"])
    parser.add_argument(
        "--size", type=int, nargs=2, default=(3000, 4000), metavar=("ROWS", "COLUMNS")
    )
    parser.add_argument("--dtype", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    if arguments.one:
        return translate_one(**json.loads(arguments.one))
    print(machine.describe(), end="\n\n")
    print("| way | seconds | processor seconds | with the model loaded | peak |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo.jpg")
        draw_photo(photo, *arguments.size)
        for way in arguments.ways:
            if way == "command":
                print(cost_of_command(arguments.preset, photo), flush=True)
                continue
            options = {"way": way, "preset": arguments.preset, "dtype": arguments.dtype}
            command = [
                sys.executable,
                __file__,
                "--one",
                json.dumps({**options, "photo": str(photo)}),
            ]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(done.stdout.splitlines()[-1], flush=True)
    return None


def draw_photo(path, height, width):
    """Write coarse shapes of many colours, with grain as of a sensor."""
    from PIL import Image

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), "uint8"))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), "int16")
    pixels = pixels + rng.integers(-8, 9, (height, width, 1), "int16")
    Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path, quality=92)


def cost_of_command(preset, photo):
    target = photo.with_name("translated.jpg")
    command = [sys.executable, "-m", "keras_cyclegan", "translate", photo, target]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--preset", preset], check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = sum(getattr(after, kind) - getattr(before, kind) for kind in ("ru_utime", "ru_stime"))
    # The largest of all children: this command, if no way before it took more.
    return f"| command | {seconds:.1f} | {used:.1f} | | {after.ru_maxrss >> 10} MiB |"


def translate_one(way, preset, dtype, photo):
    import keras

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.inference.files import translate_file

    keras.config.set_dtype_policy(dtype)
    model = CycleGAN.from_preset(preset)
    if way == "bare network":
        part = np.zeros((1, PART, PART, model.generator_ab.input_shape[-1]), "float32")
        model.predict(part, verbose=0)  # compiles
    else:
        model.translate(np.zeros((64, 64, 3), "uint8"))
    loaded = machine.memory_now()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    start, used = time.perf_counter(), time.process_time()
    if way == "bare network":
        from PIL import Image

        with Image.open(photo) as opened:
            parts = opened.width * opened.height // PART**2
        for _ in range(parts):
            model.predict(part, verbose=0)
    else:
        size = "auto" if way == "working size" else None
        target = Path(photo).with_name("translated.jpg")
        error = translate_file(model, Path(photo), target, working_size=size)
        if error:
            raise error
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = machine.memory_now("VmHWM")
    print(f"| {way} | {seconds:.1f} | {used:.1f} | {loaded >> 20} MiB | {peak >> 20} MiB |")


if __name__ == "__main__":
    main()
