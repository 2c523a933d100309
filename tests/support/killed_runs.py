"""Runs that are killed: one process imports, and each of its forks is an attempt at a run.

`python killed_runs.py FOLDER KILLS` trains without a stop in `FOLDER/whole`, and in `FOLDER/killed`
gets SIGKILL so many times at random moments, once in the middle of writing a checkpoint.
"""

import math
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np

from keras_cyclegan import CycleGAN, callbacks, data, resume
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

STEPS = 4  # of an epoch


def train(folder, epochs):
    """A small run with all that has state: dropout, pools, averages, moments, a falling rate."""
    keras.utils.set_random_seed(0)
    dataset, validation = data.load("glyphs", 8, batch_size=2, seed=0, steps_per_epoch=STEPS)
    shape = (8, 8, 3)
    model = CycleGAN(
        *(ResNetGenerator(shape, filters=2, num_blocks=n, dropout=0.5) for n in (1, 0)),
        *(PatchDiscriminator(shape, 2, num_layers=1) for _ in range(2)),
        image_shape=shape,
        pool_size=3,
    )
    model.compile(
        identity_loss=None,
        ema_momentum=0.9,
        run_eagerly=keras.backend.backend() != "jax",  # tracing costs more than so few steps
    )
    resume.fit(
        model,
        dataset,
        folder / "checkpoints",
        epochs,
        minutes=0,
        callbacks=[
            callbacks.HistoryFile(folder / "history.jsonl"),
            callbacks.SampleGrid(folder / "samples", validation, count=1),
        ],
        verbose=0,
    )


def start(folder, epochs, die_in_write=False):
    """The process id of an attempt at the run, which has a memory of its own."""
    child = os.fork()
    if child:
        return child
    if die_in_write:
        np.savez = lambda file, **arrays: (
            file.write(b"PK\3\4 half of a file"),
            file.flush(),
            os.kill(os.getpid(), signal.SIGKILL),
        )
    status = 1
    try:
        train(folder, epochs)
        status = 0
    finally:
        os._exit(status)


def wait(child):
    """The signal that ended an attempt, or None where it came to its end."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"A run failed with status {status}.")
    return None


def newest(folder):
    return max((path.name for path in folder.glob("checkpoints/step-*")), default="")


def wait_for_checkpoint(folder, child, seconds=math.inf):
    """Until the attempt has written one, has ended, or has had its time. Returns the moment."""
    before, end = newest(folder), time.monotonic() + seconds
    while newest(folder) == before and time.monotonic() < end:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.002)
    return time.monotonic()


def main(folder, kills):
    # Two checkpoints an attempt at most, so that the attempts don't reach the end.
    epochs = math.ceil((2 * kills + 1) / STEPS)
    child = start(folder / "whole", epochs)
    began = wait_for_checkpoint(folder / "whole", child)
    wait(child)
    step = (time.monotonic() - began) / (epochs * STEPS)

    rng = random.Random(0)
    for kill in range(kills):
        in_write = kill == kills // 2
        child = start(folder / "killed", epochs, die_in_write=in_write)
        if not in_write:
            if rng.random() < 0.8:
                wait_for_checkpoint(folder / "killed", child)
            wait_for_checkpoint(folder / "killed", child, rng.uniform(0, 2 * step))
            os.kill(child, signal.SIGKILL)
        assert wait(child) == signal.SIGKILL, "the run ended before it could be killed"
        unfinished = len(list((folder / "killed").rglob(".unfinished-*")))
        print(f"killed at {newest(folder / 'killed')}, {unfinished} files unfinished", flush=True)
    assert wait(start(folder / "killed", epochs)) is None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
