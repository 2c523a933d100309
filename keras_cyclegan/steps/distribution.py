"""Training on several devices of a machine, or on several machines."""

import contextlib
import logging

import keras
import numpy as np

logger = logging.getLogger(__name__)


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
            raise ValueError(
                "Set on each machine KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT, of the first one, "
                "KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID, from 0. "
                f"Keras says: {error}"
            ) from error
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


def largest_of_all(value):
    """Return the largest of the ints of all processes, each of which must call this."""
    if process_share()[1] == 1:
        return value
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.array(value)).max().item()
