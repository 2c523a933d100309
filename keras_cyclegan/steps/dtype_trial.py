"""Measures whether a dtype is fast on this processor, with convolutions like those of the networks.

Some processors compute in bfloat16. Others emulate it number by number, a hundred times slower, and
for many only depthwise convolutions are slow. A measurement is safer than a table of processors.
"""

import functools
import time
import warnings
from collections import Counter

import keras
import numpy as np
from keras import layers, ops

WORTH_A_WARNING, REFUSED = 1.1, 10.0
# Sides and channels. The first size is so small that even emulation takes no time. Only if it shows
# no factor of `REFUSED`, the second is measured, which is that of a real layer.
SIZES = ((8, 32), (32, 64))
REPEATS, LEAST_REPEATS, MOST_SECONDS = 9, 4, 0.3
DEPTHWISE = (layers.DepthwiseConv2D, layers.SeparableConv2D)
STANDARD = (layers.Conv2D, layers.Conv2DTranspose)


def warn_of_slow_dtype(networks, training=True):
    """Warn, with the factor, if networks would be faster in float32; takes about 2 s at most.

    Args:
        networks: list of `keras.Model`.
        training: bool, True by default. Whether to measure gradients too.
    """
    factor = slowdown(networks, training)
    if factor > WORTH_A_WARNING:
        warnings.warn(_message(networks, factor), stacklevel=3)


def refuse_slow_dtype(networks, advice):
    """Raise a ValueError for a dtype in which training takes over 10 times as long as in float32.

    Args:
        networks: list of `keras.Model`.
        advice: str. How to train nevertheless, for the error.

    Raises:
        ValueError: the dtype is that slow; the message has the measured factor.
    """
    factor = slowdown(networks, training=True)
    if factor > REFUSED:
        raise ValueError(f"{_message(networks, factor)} {advice}")


def slowdown(networks, training):
    """Return how many times as long as in float32 the networks' convolutions take.

    Each kind counts as often as the networks have it. 1.0 for float32, and on an accelerator.
    """
    counts = {}
    for network in networks:
        for layer in _convolutions(network):
            kind = "depthwise" if isinstance(layer, DEPTHWISE) else "standard"
            counts.setdefault(layer.compute_dtype, Counter())[kind] += 1
    if not set(counts) - {"float32", "float64"} or _has_accelerator():
        return 1.0
    times = [
        (count, _trial(kind, dtype, training))
        for dtype, kinds in counts.items()
        for kind, count in kinds.items()
    ]
    own = sum(count * slower for count, (slower, _) in times)
    return own / sum(count * in_float32 for count, (_, in_float32) in times)


def _message(networks, factor):
    policy = next(n.dtype_policy.name for n in networks if n.compute_dtype != "float32")
    return (
        f"On this processor {policy} takes {factor:.1f} times as long as float32, measured on "
        "convolutions as these networks have them. Use the dtype float32."
    )


def _convolutions(network):
    """Yield all convolutions, those of inner networks and of wrapped layers too."""
    for layer in getattr(network, "layers", ()):
        yield from _convolutions(layer)
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, (*DEPTHWISE, *STANDARD)):
            yield inner


def _has_accelerator():
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return bool(tf.config.list_physical_devices("GPU"))
        case "jax":
            import jax

            return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available()


@functools.lru_cache
def _trial(kind, dtype, training):
    """Return the seconds of one convolution in `dtype` and in float32, the best of several runs."""
    if dtype in ("float32", "float64"):
        seconds = measure(kind, ("float32",), training, *SIZES[-1])
        return seconds * 2
    for side, channels in SIZES:
        seconds = measure(kind, (dtype, "float32"), training, side, channels)
        if seconds[0] > REFUSED * seconds[1]:
            break
    return seconds


def measure(kind, dtypes, training, side, channels):
    """Return the best time of one convolution in each of `dtypes`, in processor seconds.

    Time on the clock would call a dtype slow when it is another process that works.
    """
    runs = [_compiled(kind, dtype, training, side, channels) for dtype in dtypes]
    for run in runs:
        run()  # compiles
    best, begun = [float("inf")] * len(runs), time.process_time()
    for repeat in range(1, REPEATS + 1):
        for i, run in enumerate(runs):
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start)
        if repeat >= LEAST_REPEATS and time.process_time() - begun > MOST_SECONDS:
            break
    return tuple(best)


def _compiled(kind, dtype, training, side, channels):
    """Make a function that computes one 3×3 convolution, in training with its gradients."""
    # No random numbers: they would change the random state of a run.
    shapes = (1, side, side, channels), (3, 3, channels, 1 if kind == "depthwise" else channels)
    given = [ops.cast(np.linspace(-1, 1, np.prod(s)).reshape(s), dtype) for s in shapes]
    convolve = ops.depthwise_conv if kind == "depthwise" else ops.conv

    def forward(images, kernel):
        return convolve(images, kernel, padding="same", data_format="channels_last")

    def loss(images, kernel):
        return ops.mean(ops.square(ops.cast(forward(images, kernel), "float32")))

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            @tf.function(autograph=False)
            def run(*given):
                with tf.GradientTape() as tape:
                    tape.watch(given)
                    result = loss(*given) if training else forward(*given)
                return tape.gradient(result, given) if training else result

            return lambda: keras.tree.map_structure(lambda x: x.numpy(), run(*given))
        case "jax":
            import jax

            run = jax.jit(jax.grad(loss, (0, 1)) if training else forward)
            return lambda: jax.block_until_ready(run(*given))
    import torch

    given = [x.requires_grad_(training) for x in given]
    return lambda: torch.autograd.grad(loss(*given), given) if training else forward(*given)
