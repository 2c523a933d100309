"""What a stranger's description would build, seen before it takes memory."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras

from keras_cyclegan.files.messages import shown

MOST_WEIGHTS = 2**30  # 4 GiB in float32
MOST_FRESH_WEIGHTS = 2**27  # of networks whose weights no file holds
MOST_LAYERS = 1000  # that a config names
MOST = {"num_blocks": 64, "num_downsamplings": 16, "num_layers": 16, "pool_size": 10_000}
MOST_OF_OTHERS = 64  # for arguments that begin with num_


def check_counts(class_name, arguments):
    """Refuse more blocks, halvings … than anyone trains, before one of them is built.

    Args:
        class_name: str, for the message.
        arguments: dict of arguments of one of this package's classes.
    """
    for name, value in arguments.items():
        if name in MOST or name.startswith("num_"):
            most = MOST.get(name, MOST_OF_OTHERS)
            if isinstance(value, int) and value > most:
                raise ValueError(f"{class_name} has {name}={shown(value)}; {most} are allowed.")


def check_weights(networks, most=MOST_WEIGHTS):
    """Refuse networks that together have more than `most` weights."""
    count = sum(math.prod(weight.shape) for network in networks for weight in network.weights)
    if count > most:
        raise ValueError(f"it describes {count:,} weights; {most:,} are allowed")


def build_without_weights(build):
    """Return the model that `build()` makes, with shapes in place of weights.

    In a stateless scope Keras gives a variable no value, but notes it among those to fill when
    another scope ends. These notes belong to a thread: here to one that ends at once.

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
