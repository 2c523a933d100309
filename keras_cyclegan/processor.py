"""What computes: is there an accelerator, and what can the processor do?"""

import os
import platform
import sys
import warnings

SWITCH = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it once, as it is imported
# With any of these, TensorFlow on Linux switches oneDNN on itself.
ENOUGH = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
# With one of these, oneDNN computes in a dtype; without, it emulates it number by number.
INSTRUCTIONS = {"bfloat16": {"avx512_bf16", "amx_bf16"}, "float16": {"avx512_fp16", "amx_fp16"}}

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
    name = _told_by_linux("model name") or platform.processor() or platform.machine()
    accelerated = " and a GPU or TPU" if has_accelerator() else ""
    return f"{os.cpu_count()} × {name}{accelerated}"


def vector_extensions():
    """Return Linux's names of an x86 processor's features, or an empty set."""
    return frozenset(_told_by_linux("flags").split())


def _told_by_linux(key):
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            # Up to the first processor: the file is long, and slow to read.
            line = next((line for line in file if line.startswith(key)), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()


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


def warn_of_emulated_dtype(networks):
    """Warn if the processor emulates the dtype of one of the networks."""
    if message := emulated_dtype(networks):
        warnings.warn(message, stacklevel=3)


def emulated_dtype(networks):
    """Say that the processor emulates the dtype of one of the networks; None if it doesn't."""
    extensions = vector_extensions()
    if not extensions or has_accelerator():
        return None
    for network in networks:
        wanted = INSTRUCTIONS.get(network.compute_dtype)
        if wanted and not wanted & extensions:
            return (
                f"This processor emulates {network.dtype_policy.name}, which can take a hundred "
                "times as long as float32. Use the dtype float32."
            )
    return None
