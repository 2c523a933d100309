"""Training on several devices of a machine, or on several machines."""

import contextlib
import logging

import keras
import numpy as np

logger = logging.getLogger(__name__)

HOW_TO_CONNECT_MACHINES = (
    "Set on each machine KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT, an address of the first one "
    "that all reach; KERAS_DISTRIBUTION_NUM_PROCESSES, the number of machines; and "
    "KERAS_DISTRIBUTION_PROCESS_ID, the number of this machine, from 0."
)


@contextlib.contextmanager
def distributed(over, batch_size):
    """Enter a context in which a model is made, compiled and fitted, so that devices share batches.

    These are all `"devices"` of this machine, or all `"machines"` that the environment names (JAX);
    None is for one device. Apart from rounding, the result is the same.
    """
    if over is None:
        yield
        return
    backend = keras.backend.backend()
    if backend == "torch" or (over == "machines" and backend != "jax"):
        able = "jax" if over == "machines" else "jax or tensorflow"
        raise ValueError(
            f"Training on several {over} runs on the backend {able}; this is {backend}. Set "
            "KERAS_BACKEND before Python starts; files of one backend open on the others."
        )
    if over == "machines":
        try:
            keras.distribution.initialize()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{HOW_TO_CONNECT_MACHINES} Keras says: {error}") from error
    if backend == "jax":
        count = keras.distribution.get_device_count()
        # The dataset makes only this machine's part of each batch: see `process_share`.
        scope = keras.distribution.DataParallel(auto_shard_dataset=False).scope()
    else:
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        count = len(devices)
        scope = tf.distribute.MirroredStrategy([device.name for device in devices]).scope()
    if batch_size % count:
        raise ValueError(
            f"{count} devices share each batch: its size must be a multiple of {count}. Received "
            f"batch_size={batch_size}."
        )
    with scope:
        logger.info("Training on %d devices, %d images a step on each.", count, batch_size // count)
        yield


def process_share():
    """Return `(index, count)`: this process makes part `index` of `count` parts of each batch."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 0, 1
    return distribution.data_shard_id, distribution.num_processes


def is_chief():
    """Return whether this process is the one that writes files; the others compute the same."""
    return process_share()[0] == 0


def check_agreement(advice, **facts):
    """Raise a RuntimeError, with advice, if processes differ in an int; all must call it."""
    for fact, values in zip(facts, _gather(list(facts.values())).T, strict=True):
        if len(set(values)) > 1:
            fact, given = fact.replace("_", " "), ", ".join(map(str, values))
            raise RuntimeError(f"The machines differ in {fact}: {given}. {advice}")


def fail_together(function):
    """Call `function()`, which doesn't wait for others, on every machine; raise on all or none."""
    failure = result = None
    try:
        result = function()
    except Exception as error:
        failure = error
    if largest_of_all(int(failure is not None)):
        raise failure or RuntimeError(
            "Another machine can't start; its message says why. Solve that, and start all again."
        )
    return result


def largest_of_all(value):
    """Return the largest of the ints of all processes, each of which must call this."""
    return int(_gather([value]).max())


def _gather(values):
    if process_share()[1] == 1:
        return np.array([values])
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.array(values))
