"""What `test_backends.py` runs on each backend, in a process of its own.

`python backend_worker.py train-and-load FOLDER OTHERS...` trains, writes what came of it, says so,
and opens what other backends wrote when a line on standard input says that it is there;
`devices FOLDER` trains on the devices that the environment describes.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
from plain_networks import plain_network
from step_inputs import NETWORKS, draw_weights

from keras_cyclegan import CycleGAN, callbacks, data, resume
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.steps.distribution import distributed, is_chief, process_share

SHAPE = (16, 16, 3)
STEPS, BATCH = 10, 2


def make_model(real=True):
    """A CycleGAN whose weights and pools are the same on every backend.

    Where `real`, a generator and a discriminator are the package's; the others are plain, for time.
    """
    keras.utils.set_random_seed(0)  # of the pools; initial weights depend on the backend
    networks = {name: plain_network(name) for name in NETWORKS}
    if real:
        networks["generator_ab"] = ResNetGenerator(SHAPE, filters=4, num_blocks=1)
        networks["discriminator_a"] = PatchDiscriminator(SHAPE, 4, num_layers=1)
    for i, network in enumerate(networks.values()):
        network.set_weights(draw_weights([w.shape for w in network.weights], i))
    return CycleGAN(**networks, image_shape=SHAPE, pool_size=3)


def images():
    return [
        np.random.RandomState(seed).uniform(-1, 1, (STEPS * BATCH, *SHAPE)).astype("float32")
        for seed in (0, 1)
    ]


class Means(keras.callbacks.Callback):
    """The running means of the losses, after every step."""

    def on_train_begin(self, logs=None):
        self.history = []

    def on_train_batch_end(self, batch, logs=None):
        self.history.append([float(logs[name]) for name in sorted(logs)])


def state(model):
    """All that the next step depends on."""
    variables = {
        **{
            f"{name} {i}": v
            for name in NETWORKS
            for i, v in enumerate(getattr(model, name).weights)
        },
        **{f"optimizer {i}": v for i, v in enumerate(model.optimizer.variables)},
        **{
            f"{pool.name} {i}": v
            for pool in (model.pool_a, model.pool_b)
            for i, v in enumerate([*pool.weights, pool.seed_generator.state])
        },
    }
    return {name: keras.ops.convert_to_numpy(v) for name, v in variables.items()}


def translations(model):
    both = zip((model.generator_ab, model.generator_ba), images(), strict=True)
    return [keras.ops.convert_to_numpy(network(batch[:2])) for network, batch in both]


def train(folder):
    model, means, (a, b) = make_model(), Means(), images()
    model.compile()
    model.fit(a, b, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[means])
    losses = model.evaluate(a[:4], b[:4], batch_size=2, verbose=0, return_dict=True)
    np.savez(
        folder / "trained.npz",
        history=means.history,
        evaluate=[losses[name] for name in sorted(losses)],
        predict=model.predict(a[:2], verbose=0),
        cropped=model.translate(a[0, :13, :10]),
        translations=translations(model),
        **state(model),
    )
    model.save(folder / "model.keras")
    model.save_to_preset(folder / "preset")
    model.save_weights(folder / "model.weights.h5")
    return model


def load(folder):
    model = keras.saving.load_model(folder / "model.keras")
    preset = CycleGAN.from_preset(str(folder / "preset"))
    weights = make_model()
    weights.compile()
    weights.load_weights(folder / "model.weights.h5")
    backend = keras.backend.backend()
    np.savez(
        folder / f"loaded-by-{backend}.npz",
        preset=translations(preset),
        **{f"weights {name}": value for name, value in state(weights).items()},
        translations=translations(model),
        **state(model),
    )


def train_and_load(folder, others):
    """The trained model, when the files of all have been opened."""
    model = train(folder)
    print("trained", flush=True)
    sys.stdin.readline()
    for other in others:
        load(other)
    return model


def devices(folder):
    """Train on the devices that `OVER` names, and if `ALONE` is given, on one of them after that.

    Machines begin with a training that one of them is asked to end, and then go on with it.
    """
    over, ended = os.environ["OVER"], None
    make_virtual_devices(int(os.environ["DEVICES"]))
    with distributed(over, batch_size=4):
        chief, mine = is_chief(), folder / os.environ["NAME"]
        if over == "machines":
            stop = keras.callbacks.LambdaCallback(on_train_batch_end=end_the_last_machine)
            try:
                train_with_all_that_has_state(mine, [stop])
            except SystemExit as end:
                ended = end
            if chief:
                newest = max(path.name for path in mine.glob("checkpoints/*"))
                assert newest == "step-000000002.npz"
        model = train_with_all_that_has_state(mine)
        if over != "machines":
            evaluate(model, mine)
    if chief and "ALONE" in os.environ:
        alone = folder / os.environ["ALONE"]
        model = train_with_all_that_has_state(alone)
        if over != "machines":
            evaluate(model, alone)
    if ended:
        raise ended


def train_with_all_that_has_state(folder, more_callbacks=()):
    """A short run with everything that reads or writes state."""
    train, validation = data.load(
        "glyphs", 16, batch_size=4, seed=0, steps_per_epoch=3, process_share=process_share()
    )
    model = make_model(real=False)
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4), ema_momentum=0.9)
    before = model.generator_ab.get_weights()[0]
    resume.fit(
        model,
        train,
        folder / "checkpoints",
        epochs=2,
        minutes=0,
        callbacks=[
            *more_callbacks,
            callbacks.SampleGrid(folder / "samples", validation, count=3),
            callbacks.FailureAlarms(validation, count=3),
            callbacks.HistoryFile(folder / "history.jsonl"),
        ],
        verbose=0,
    )
    if is_chief():
        np.savez(
            folder / "state.npz",
            moved=np.abs(model.generator_ab.get_weights()[0] - before).max(),
            **state(model),
        )
    return model


def evaluate(model, folder):
    a, b = images()
    losses = model.evaluate(a, b, batch_size=4, verbose=0, return_dict=True)
    np.savez(folder / "evaluate.npz", **losses)


def end_the_last_machine(batch, logs):
    index, count = process_share()
    if batch == 1 and index == count - 1:
        os.kill(os.getpid(), signal.SIGTERM)


def make_virtual_devices(count):
    """Makes the processor look like so many devices to TensorFlow; XLA_FLAGS do it for JAX."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )


if __name__ == "__main__":
    command, *folders = sys.argv[1:]
    mine, *others = map(Path, folders)
    if command == "devices":
        devices(mine)
    else:
        train_and_load(mine, others)
