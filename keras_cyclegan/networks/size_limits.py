"""How large a network of a stranger's file may be: checked before it is built with weights."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras

from keras_cyclegan.files.untrusted import shown

MAX_WEIGHTS = 2**30  # 4 GiB in float32
MAX_FRESH_WEIGHTS = 2**27  # of networks whose weights no file holds
MAX_COUNTS = {"num_blocks": 64, "num_downsamplings": 16, "num_layers": 16, "pool_size": 10_000}
MAX_COUNTS["image_shape"] = 2**16  # height, width or channels that networks are described for
MAX_OTHER_COUNT = 64  # for other arguments that begin with num_


def check_counts(class_name, arguments):
    """Raise a ValueError for more blocks, halvings … than anyone needs, before they are built."""
    for name, value in arguments.items():
        other = MAX_OTHER_COUNT if name.startswith("num_") else math.inf
        most = MAX_COUNTS.get(name, other)
        sizes = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(size, int | float) and size > most for size in sizes):
            raise ValueError(f"{class_name} has {name}={shown(value)}; {most} are allowed.")


def check_weights(networks, most=MAX_WEIGHTS):
    """Raise a ValueError if networks have more than `most` weights together."""
    count = sum(math.prod(weight.shape) for network in networks for weight in network.weights)
    if count > most:
        raise ValueError(f"it describes {count:,} weights; {most:,} are allowed")


def build_without_weights(build):
    """Return what `build()` makes, with shapes in place of weights."""

    def build_in_scope():
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras notes such variables among those to fill when another scope of this thread ends.
    return outside_of_scopes(build_in_scope)


def outside_of_scopes(function, *arguments):
    """Call `function(*arguments)` outside of the open graph, trace or scope of this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()
