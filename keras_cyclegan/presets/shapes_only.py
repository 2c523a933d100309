"""Checks how large a model would be, before it is built with weights."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras

from keras_cyclegan.files.messages import shown

MOST_WEIGHTS = 2**30  # 4 GiB in float32
MOST_FRESH_WEIGHTS = 2**27  # of networks whose weights no file holds
MOST_LAYERS = 1000  # that a config names
MOST = {"num_blocks": 64, "num_downsamplings": 16, "num_layers": 16, "pool_size": 10_000}
LARGEST_IMAGE = 2**16  # height, width or channels that networks are described for
MOST_OF_OTHERS = 64  # for arguments that begin with num_


def check_counts(class_name, arguments):
    """Raise a ValueError for more blocks, halvings … than anyone needs, before they are built.

    Args:
        class_name: str, for the message.
        arguments: dict of arguments of one of this package's classes.
    """
    for name, value in arguments.items():
        sizes = value if name == "image_shape" and isinstance(value, list) else ()
        if any(isinstance(size, int | float) and size > LARGEST_IMAGE for size in sizes):
            raise ValueError(
                f"{class_name} has image_shape={shown(value)}; {LARGEST_IMAGE} are allowed."
            )
        if name in MOST or name.startswith("num_"):
            most = MOST.get(name, MOST_OF_OTHERS)
            if isinstance(value, int) and value > most:
                raise ValueError(f"{class_name} has {name}={shown(value)}; {most} are allowed.")


def check_weights(networks, most=MOST_WEIGHTS):
    """Raise a ValueError if networks have more than `most` weights together."""
    count = sum(math.prod(weight.shape) for network in networks for weight in network.weights)
    if count > most:
        raise ValueError(f"it describes {count:,} weights; {most:,} are allowed")


def build_without_weights(build):
    """Return the model that `build()` makes, with shapes in place of weights.

    In a stateless scope Keras gives a variable no value, but notes it among those to fill when
    another scope ends. The notes belong to a thread, so that this is done in one that ends at once.

    Raises:
        ValueError: the model would have more than 2**30 weights.
    """

    def build_in_scope():
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with ThreadPoolExecutor(1) as thread:
        model = thread.submit(build_in_scope).result()
    check_weights([model])
    return model
