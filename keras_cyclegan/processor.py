"""What computes: is there an accelerator, and what can the processor do?"""

import functools
import os
import pathlib
import platform
import sys
import time
import warnings

SWITCH = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it once, as it is imported
# With any of these, TensorFlow on Linux switches oneDNN on itself.
ENOUGH = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
# With one of these, oneDNN computes in a dtype; without, it emulates it number by number.
INSTRUCTIONS = {
    "bfloat16": {"avx512_bf16", "amx_bf16"},
    "float16": {"avx512_fp16", "amx_fp16"},
}
WORTH_A_WARNING, REFUSED = 1.1, 10.0

_came_too_late = False


def has_accelerator():
    """Return whether the backend computes on a GPU or TPU that it may use."""
    import keras

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return any(tf.config.get_visible_devices(kind) for kind in ("GPU", "TPU"))
        case "jax":
            import jax

            return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available()


def describe_machine():
    """Describe the machine: number and name of its processors, and whether it has a GPU."""
    name, info = platform.processor() or platform.machine(), pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    accelerated = " and a GPU or TPU" if has_accelerator() else ""
    return f"{os.cpu_count()} × {next(names, name)}{accelerated}"


def vector_extensions(path="/proc/cpuinfo"):
    """Return Linux's names of an x86 processor's features, or an empty set."""
    try:
        with open(path, encoding="utf-8") as file:
            # Up to the first processor: the file is long, and slow to read.
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(flags.partition(":")[2].split())


def prefer_onednn(environment=os.environ, modules=sys.modules, extensions=None):
    """Switch oneDNN on for x86 with AVX2, where TensorFlow leaves it off and is 1.4 times slower.

    A user's own choice in the environment is left alone.
    """
    global _came_too_late
    extensions = vector_extensions() if extensions is None else extensions
    if SWITCH in environment or "avx2" not in extensions or extensions & ENOUGH:
        return
    _came_too_late = "tensorflow" in modules
    if not _came_too_late:
        environment[SWITCH] = "1"


def warn_if_too_late():
    """Warn once if TensorFlow was imported before oneDNN could be switched on."""
    global _came_too_late
    if _came_too_late:
        _came_too_late = False
        warnings.warn(
            "TensorFlow was imported before keras_cyclegan and leaves oneDNN off: a training step "
            "takes up to twice as long. Import keras_cyclegan before keras and tensorflow, or set "
            f"{SWITCH}=1 in the environment (0 to keep it off and end this warning).",
            stacklevel=3,
        )


def warn_of_slow_dtype(networks):
    """Warn if networks would be faster in float32."""
    factor = slowdown(networks)
    if factor > WORTH_A_WARNING:
        warnings.warn(_message(networks, factor), stacklevel=3)


def refuse_slow_dtype(networks, advice):
    """Raise a ValueError, with advice, for a dtype that takes over 10 times as long as float32."""
    factor = slowdown(networks)
    if factor > REFUSED:
        raise ValueError(f"{_message(networks, factor)} {advice}")


def slowdown(networks):
    """Return how many times as long as in float32 the networks' convolutions take."""
    import keras

    dtypes = {network.compute_dtype for network in networks} & set(INSTRUCTIONS)
    if not dtypes or has_accelerator():
        return 1.0
    if keras.backend.backend() == "tensorflow":
        dtypes = {dtype for dtype in dtypes if not INSTRUCTIONS[dtype] & vector_extensions()}
    return max([1.0, *(measured_slowdown(dtype) for dtype in dtypes)])


@functools.lru_cache
def measured_slowdown(dtype):
    """Time a convolution against float32, in processor seconds, for half a second at most each."""
    import numpy as np
    from keras import ops

    # No random numbers: they would change the random state of a run.
    shapes = (1, 32, 32, 64), (3, 3, 64, 64)
    values = [np.linspace(-1, 1, np.prod(shape)).reshape(shape) for shape in shapes]

    def seconds(dtype):
        images, kernel = (ops.cast(value, dtype) for value in values)
        times = []
        while len(times) < 9 and sum(times) < 0.5:
            start = time.process_time()
            outputs = ops.conv(images, kernel, data_format="channels_last")
            ops.convert_to_numpy(ops.sum(ops.cast(outputs, "float32")))  # waits for it
            times.append(time.process_time() - start)
        return min(times)

    return seconds(dtype) / seconds("float32")


def _message(networks, factor):
    policy = next(n.dtype_policy.name for n in networks if n.compute_dtype in INSTRUCTIONS)
    return (
        f"On this processor {policy} takes {factor:.1f} times as long as float32, measured on a "
        "convolution. Use the dtype float32."
    )
