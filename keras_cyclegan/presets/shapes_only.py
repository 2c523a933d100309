"""What a stranger's description would build, seen before it takes memory."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras

MOST_WEIGHTS = 2**30  # 4 GiB in float32


def sketch(build):
    """The model that `build()` makes, with shapes in place of weights.

    In a stateless scope Keras gives a variable no value, but notes it among those to fill when
    another scope ends. These notes belong to a thread: here to one that ends at once.

    Raises:
        ValueError: the model would have more than 2**30 weights.
    """

    def build_without_weights():
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with ThreadPoolExecutor(1) as thread:
        model = thread.submit(build_without_weights).result()
    count = sum(math.prod(weight.shape) for weight in model.weights)
    if count > MOST_WEIGHTS:
        raise ValueError(f"it describes {count:,} weights; {MOST_WEIGHTS:,} are allowed")
    return model
