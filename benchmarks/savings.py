"""Prints what the options for less work save, and what they cost in quality, on glyphs.

    python benchmarks/savings.py

Each row is a process of its own that trains the same small networks from `--seeds` seeds, with the
identity loss, on as many images; "error" is the mean absolute difference of translated test glyphs
from the other typeface's (black to white = 1), the mean of both directions, beside its standard
deviation over the seeds. Memory is what the process takes at most beyond its imports.

    identity every 4th step    the identity loss at a quarter of the steps, four times as heavy
                               (lazy regularisation, Karras et al. 2020)
    small crops first          half of the steps on quarters of the images, then whole ones
    remat                      generators' passes are computed again for their gradients
    accumulate 4               four steps of one image for one update, in place of four images
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import machine

SIZE, BATCH = 32, 4
GENERATOR = {"filters": 16, "num_blocks": 3}
RATE = 1e-3  # five times the paper's, for runs this short
IDENTITY = 5.0
ROWS = {
    "all of it": {},
    "identity every 4th step": {"identity_every": 4},
    "small crops first": {"crops_first": True},
    "remat": {"remat": True},
    "accumulate 4": {"accumulate": 4},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400, help="updates of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a process of its own does
    options = parser.parse_args()
    if options.one:
        return print(json.dumps(run(options, **ROWS[options.one])))
    print(f"{machine.describe()}. {options.steps} updates, {options.seeds} seeds.\n")
    print("| | error | processor ms an update | memory |\n|---|---|---|---|")
    print(f"| untranslated | {untranslated():.4f} | | |", flush=True)
    for name in options.rows:
        command = [sys.executable, __file__, "--one", name]
        command += ["--steps", str(options.steps), "--seeds", str(options.seeds)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(printed.splitlines()[-1])
        spread = statistics.stdev(found["errors"]) if options.seeds > 1 else 0.0
        print(
            f"| {name} | {statistics.mean(found['errors']):.4f} ± {spread:.4f} "
            f"| {1000 * found['seconds']:.0f} | {found['memory'] / 2**20:.0f} MiB |",
            flush=True,
        )


def untranslated():
    from keras_cyclegan import data

    a, b, _ = data.load_sets("glyphs", SIZE)
    return float(abs(a.astype("int16") - b).mean()) / 255


# --- in a process of its own --------------------------------------------------------------------


def run(options, identity_every=1, crops_first=False, remat=False, accumulate=1):
    """Errors of each seed, processor seconds of an update without the first, and peak memory."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras_cyclegan as kcg  # before Keras, so that it can choose TensorFlow's kernels

    kcg.import_keras_quietly()
    import keras
    import numpy as np

    train, test = (kcg.data.load_sets("glyphs", SIZE, split=name)[:2] for name in ("train", "test"))
    # White around them, so that the windows shift.
    train = [np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255) for x in train]
    base, errors, seconds = machine.memory_now(), [], 0.0
    for seed in range(options.seeds):
        keras.utils.set_random_seed(seed)
        networks = build(kcg)
        parts = [(SIZE // 2, 0.5), (SIZE, 0.5)] if crops_first else [(SIZE, 1.0)]
        for size, part in parts:
            model = kcg.CycleGAN(*networks, image_shape=(size, size, 3))
            compile_model(kcg, model, identity_every, remat, accumulate)
            steps = round(options.steps * part) * accumulate
            batches = kcg.data.unpaired_dataset(
                *train, size, BATCH // accumulate, flip=False, seed=seed, steps_per_epoch=steps
            )
            clock = Clock(keras)
            model.fit(batches, epochs=1, verbose=0, callbacks=[clock.callback])
            seconds += clock.seconds * part * accumulate / options.seeds
        errors.append(error(model, *test))
        if seed == 0:
            memory = machine.memory_now("VmHWM") - base
    return {"errors": errors, "seconds": seconds, "memory": memory}


def build(kcg):
    shape = (None, None, 3)
    return [
        *(kcg.networks.ResNetGenerator(shape, **GENERATOR) for _ in range(2)),
        *(kcg.networks.PatchDiscriminator(shape, 16, num_layers=2) for _ in range(2)),
    ]


def compile_model(kcg, model, identity_every, remat, accumulate):
    decay = kcg.optimizers.LinearDecay(RATE)
    optimizers = [kcg.optimizers.paper_adam(decay, accumulate=accumulate) for _ in range(2)]
    identity = kcg.losses.IdentityLoss(weight=IDENTITY, every=identity_every)
    model.compile(*optimizers, identity_loss=identity, remat=remat)


class Clock:
    """Processor seconds of a step, the first two left out, which compile."""

    def __init__(self, keras):
        self.callback = keras.callbacks.LambdaCallback(on_train_batch_end=self.step)
        self.steps = 0

    def step(self, batch, logs):
        float(logs["loss"])  # waits for the step
        self.steps += 1
        if self.steps == 2:
            self.start = time.process_time()
        elif self.steps > 2:
            self.seconds = (time.process_time() - self.start) / (self.steps - 2)


def error(model, a, b):
    pairs = {"a_to_b": (a, b), "b_to_a": (b, a)}
    return statistics.mean(
        float(abs(model.translate(source, direction=way).astype("int16") - target).mean()) / 255
        for way, (source, target) in pairs.items()
    )


if __name__ == "__main__":
    main()
