"""Whether a long run stays as it was: memory, file handles, threads and time.

`python benchmarks/soak.py --minutes 30 --calls 10000` trains small networks with all that the
command line has beside a training (checkpoints, grids, alarms, presets), then translates as many
images of random sizes, and prints a table of each. Time is processor time, of all cores together,
so that other work on the machine doesn't count.
"""

import argparse
import io
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image

from keras_cyclegan import CycleGAN, callbacks, data, resume
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.training.history import HistoryFile
from keras_cyclegan.training.preset_keeper import PresetKeeper

HEADER = "| {} | memory | file handles | threads | processor time of each |\n|---|---|---|---|---|"


class Meter:
    """Prints a row of the table when it is told how much has been done."""

    def __init__(self, unit, marks):
        print(HEADER.format(unit), flush=True)
        self.marks = marks  # how much has been done when a row is due
        self.done, self.spent = 0, time.process_time()

    def tell(self, done):
        if not self.marks or done < self.marks[0]:
            return
        while self.marks and done >= self.marks[0]:
            self.marks.pop(0)
        spent = time.process_time()
        each = 1000 * (spent - self.spent) / (done - self.done)
        status = Path("/proc/self/status").read_text()
        memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
        threads = status.split("Threads:")[1].split()[0]
        handles = len(os.listdir("/proc/self/fd"))
        print(f"| {done} | {memory:.0f} MiB | {handles} | {threads} | {each:.1f} ms |", flush=True)
        self.done, self.spent = done, spent


class MeterCallback(keras.callbacks.Callback):
    """Feeds a meter with steps, and ends `fit` when the time is over."""

    def __init__(self, minutes):
        super().__init__()
        marks = [50, 100, 200, 500, 1000, *range(2000, 200_000, 2000)]
        self.meter = Meter("steps", marks)
        self.until = time.monotonic() + 60 * minutes
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.meter.tell(self.steps)

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() > self.until:
            self.model.stop_training = True


def small_model(filters):
    return CycleGAN(
        ResNetGenerator((32, 32, 3), filters=filters, num_blocks=1),
        ResNetGenerator((32, 32, 3), filters=filters, num_blocks=1),
        PatchDiscriminator((32, 32, 3), filters, num_layers=1),
        PatchDiscriminator((32, 32, 3), filters, num_layers=1),
        image_shape=(32, 32, 3),
    )


def train(minutes, filters, steps_per_epoch=50):
    """Checkpoints, a grid, scores of alarms and a line of the log every 50 steps."""
    model = small_model(filters)
    model.compile()
    images, _ = data.load("glyphs", seed=0, steps_per_epoch=steps_per_epoch)
    meter = MeterCallback(minutes)
    with tempfile.TemporaryDirectory() as folder:
        resume.fit(
            model,
            images,
            Path(folder, "checkpoints"),
            epochs=10**6,
            callbacks=[
                callbacks.SampleGrid(Path(folder, "samples"), images),
                callbacks.FailureAlarms(images),
                HistoryFile(Path(folder, "history.jsonl")),
                PresetKeeper(Path(folder, "preset"), minutes=0),
                meter,
            ],
            minutes=0,
            verbose=0,
        )
    print(f"\n{meter.steps} steps, {meter.steps // steps_per_epoch} checkpoints and presets.\n")


def translate(calls, filters, largest):
    """Arrays, encoded images and tiles, of sizes that are drawn anew for each call."""
    model = small_model(filters)
    random = np.random.default_rng(0)
    marks = [10, 50, 100, 200, 500, *range(1000, calls + 1, 1000)]
    meter = Meter("calls", marks)
    for n in range(1, calls + 1):
        height, width = random.integers(16, largest + 1, 2)
        image = random.integers(0, 256, (height, width, 3), "uint8")
        tile = 64 if n % 20 == 0 else "auto"
        source = image
        if n % 5 == 0:
            encoded = io.BytesIO()
            Image.fromarray(image).save(encoded, "PNG")
            source = encoded.getvalue()
        if model.translate(source, tile=tile).shape != image.shape:
            sys.exit(f"Call {n} gave another size.")
        meter.tell(n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="of training")
    parser.add_argument("--calls", type=int, default=10_000, help="of translate")
    parser.add_argument("--filters", type=int, default=4, help="of the networks")
    parser.add_argument("--largest", type=int, default=200, help="side of an image")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # alarms about networks this small
    keras.utils.set_random_seed(0)
    if options.calls:
        translate(options.calls, options.filters, options.largest)
        print(flush=True)
    if options.minutes:
        train(options.minutes, options.filters)


if __name__ == "__main__":
    main()
