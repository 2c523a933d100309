"""Prints the time of a training step by the number of devices that share its batch.

    python benchmarks/devices.py

The devices are virtual: all are the processor of this machine, and share its cores. So the table
shows what sharing itself costs (the devices' graphs, their exchange of gradients and of images for
the pools), and can't show what several GPUs gain.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

COUNTS = (1, 2, 4)
BATCH, SIZE, WARM_UP, STEPS = 8, 32, 3, 30


def main():
    print(f"| devices | images on each | {' | '.join(BACKENDS)} |")
    print(f"|---|---|{'---|' * len(BACKENDS)}")
    single = None
    for count in COUNTS:
        seconds = [measure_apart(backend, count) for backend in BACKENDS]
        single = single or seconds
        cells = [
            f"{s * 1000:.0f} ms (× {s / one:.2f})" for s, one in zip(seconds, single, strict=True)
        ]
        print(f"| {count} | {BATCH // count} | {' | '.join(cells)} |", flush=True)


BACKENDS = [name for name in ("tensorflow", "jax") if importlib.util.find_spec(name)]


def measure_apart(backend, count):
    """The median seconds of a step, in a process of its own."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, __file__, str(count)]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def measure(count):
    import keras
    import numpy as np

    from keras_cyclegan import CycleGAN
    from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
    from keras_cyclegan.steps.distribution import distributed

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        processor = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(processor, devices)

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # waits for the step
            self.ends.append(time.perf_counter())

    shape = (SIZE, SIZE, 3)
    images = np.random.default_rng(0).uniform(-1, 1, ((WARM_UP + STEPS) * BATCH, *shape))
    images = images.astype("float32")
    with distributed("devices" if count > 1 else None, BATCH):
        model = CycleGAN(
            *(ResNetGenerator(shape, filters=24, num_blocks=4) for _ in range(2)),
            *(PatchDiscriminator(shape, 32, num_layers=2) for _ in range(2)),
            image_shape=shape,
        )
        model.compile()
        clock = Clock()
        model.fit(images, images, batch_size=BATCH, verbose=0, callbacks=[clock])
    print(json.dumps(statistics.median(np.diff(clock.ends[WARM_UP:]))))


if __name__ == "__main__":
    measure(int(sys.argv[1])) if sys.argv[1:] else main()
