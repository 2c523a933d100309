"""Training on several devices of a machine, or on several machines."""

import contextlib
import logging

import keras
import numpy as np

logger = logging.getLogger(__name__)

HOW_TO_CONNECT_MACHINES = (
    "Set these environment variables of Keras on each machine: "
    "KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT, an address of the first machine that all reach; "
    "KERAS_DISTRIBUTION_NUM_PROCESSES, the number of machines; and KERAS_DISTRIBUTION_PROCESS_ID, "
    "the number of this machine, from 0."
)


@contextlib.contextmanager
def distributed(over, batch_size):
    """Enter a context in which a model is made, compiled and fitted, so that devices share batches.

    On TensorFlow by `tf.distribute.MirroredStrategy`, on JAX by `keras.distribution.DataParallel`.
    Apart from rounding, the result is the same as on one device with the same batch.

    Args:
        over: `"devices"` for all devices of this machine, `"machines"` for all machines that the
            environment names (JAX), or None for one device.
        batch_size: int. Images of a domain in one step, on all devices together.

    Raises:
        ValueError: the batch can't be divided by the number of devices, the backend doesn't support
            it, or the environment names no machines.
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
    """Raise an error if processes differ in one of `facts`; all of them must call it.

    Args:
        advice: str. What to do, for the error.
        **facts: ints that should be the same in all processes.

    Raises:
        RuntimeError: one of them isn't the same.
    """
    for fact, values in zip(facts, _gather(list(facts.values())).T, strict=True):
        if len(set(values)) > 1:
            given = ", ".join(map(str, values))
            raise RuntimeError(
                f"The machines differ in {fact.replace('_', ' ')}: {given}. {advice}"
            )


def fail_together(function):
    """Call a function on every machine; if it raises on one, raise on all.

    Otherwise the others would wait for that machine until the backend gives up, minutes later.

    Args:
        function: function without arguments, which doesn't wait for the other machines.

    Returns:
        What the function returned on this machine.

    Raises:
        Exception: the function raised it on this machine.
        RuntimeError: the function raised on another machine.
    """
    failure = result = None
    try:
        result = function()
    except Exception as error:
        failure = error
    if largest_of_all(int(failure is not None)):
        raise failure or RuntimeError(
            "Another machine can't start this training; its message says why. Solve that, and "
            "start all machines again."
        )
    return result


def largest_of_all(value):
    """Return the largest of the ints of all processes, each of which must call this."""
    return int(_gather([value]).max())


def _gather(values):
    """Collect the ints of all processes, `(processes, len(values))`."""
    if process_share()[1] == 1:
        return np.array([values])
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.array(values))
