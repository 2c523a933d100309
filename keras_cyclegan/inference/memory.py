"""How much memory a whole translation needs, how much is available, and errors for too little."""

import contextlib
import math
import weakref
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_cyclegan.inference.sizes import size_rule

# On a processor, tiles take about as long as the whole image. So a low limit costs little, and a
# photo is translated in the same way on each machine, whatever else is running there.
MOST_FOR_WHOLE = 2 * 2**30
SLACK = 1.5  # peak memory over that of the tensors alone, measured on seven networks
PIXEL_BYTES = 60  # the image and its translation as floats and as pixels, and copies of them

_bytes_per_pixel: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_share = 1.0


def share_memory(processes):
    """Use 1/`processes` of the memory only, for as many that translate at once."""
    global _share
    _share = 1 / processes


# --- memory needed -----------------------------------------------------------------------------


def whole_bytes(generators, height, width):
    """Estimate the memory that generators need for one whole image, one after the other.

    Args:
        generators: list of `keras.Model`.
        height, width: ints.

    Returns:
        int: bytes beyond those that the process uses already. 0 for a subclassed model, whose
        layers are unknown.
    """
    most = 0
    for generator in generators:
        if generator not in _bytes_per_pixel:
            _bytes_per_pixel[generator] = _most_alive(generator)
        if _bytes_per_pixel[generator]:
            most = max(most, SLACK * _bytes_per_pixel[generator] + PIXEL_BYTES)
    return int(height * width * most)


def _most_alive(network):
    """Return the most bytes of tensors alive at once in a functional network, per input pixel."""
    if not getattr(network, "inputs", None):
        return 0
    smallest = size_rule(network).smallest
    side = [fixed or 16 * smallest for fixed in network.input_shape[1:3]]
    operations = network.operations
    tensors = [tensor for operation in operations for tensor in _flat(operation.output)]
    image = keras.KerasTensor((1, *side, network.input_shape[-1]))
    specs = keras.Function(network.input, tensors).compute_output_spec(image)
    count = {id(t): math.prod(spec.shape) for t, spec in zip(tensors, specs, strict=True)}
    size = {id(t): count[id(t)] * _item_bytes(t.dtype) for t in tensors}
    last_use = {id(t): i for i, operation in enumerate(operations) for t in _flat(operation.input)}
    last_use |= {id(t): len(operations) for t in network.outputs}

    most = alive = size[id(network.input)]
    for i, operation in enumerate(operations[1:], 1):
        made = {id(t) for t in _flat(operation.output)}
        alive += sum(size[key] for key in made)
        is_norm = isinstance(operation, layers.GroupNormalization)  # computes in float32
        most = max(most, alive + is_norm * 4 * sum(count[key] for key in made))
        used = {id(t) for t in _flat(operation.input)}
        alive -= sum(size[key] for key in used if last_use[key] == i)
    return most / math.prod(side)


def _flat(structure):
    return keras.tree.flatten(structure)


def _item_bytes(dtype):
    return 2 if keras.backend.standardize_dtype(dtype) in ("float16", "bfloat16") else 4


# --- memory available --------------------------------------------------------------------------


def memory_for_whole():
    """Return the bytes that the translation of a whole image may take before tiles are better."""
    on_device = _free_on_device()
    if on_device is not None:
        return on_device / 2
    return min(MOST_FOR_WHOLE, available_memory() / 2)


def available_memory(root="/"):
    """Return the bytes that this process can still allocate, as far as the system tells.

    It is the smallest of the machine's available memory, of what its control groups (a container's)
    still allow, and of what its own limits (`ulimit -v`, `ulimit -d`) still allow.

    Args:
        root: path, "/" by default. The folder that holds `proc` and `sys`.
    """
    left = [
        _machine(Path(root, "proc/meminfo")),
        *_groups(Path(root)),
        *_process_limits(Path(root, "proc/self/status")),
    ]
    return _share * max(0, min(left))


def _machine(path):
    with contextlib.suppress(OSError, KeyError):
        return _table(path)["MemAvailable:"] * 1024
    return 2 * MOST_FOR_WHOLE  # unknown without Linux


def _groups(root):
    """Yield what each control group of this process still allows, of version 1 or 2."""
    with contextlib.suppress(OSError):
        for line in Path(root, "proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "":
                place, limit, used, cached = "", "memory.max", "memory.current", ""
            elif controllers == "memory":
                place, limit, used = "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
                cached = "total_"
            else:
                continue
            top = Path(root, "sys/fs/cgroup", place)
            folder = top / group.lstrip("/")
            for one in [folder, *folder.parents]:
                # In a container, its own group may be at the top, whatever the path says.
                with contextlib.suppress(OSError, ValueError, KeyError):
                    stat = _table(one / "memory.stat")
                    files = stat[f"{cached}inactive_file"] + stat[f"{cached}active_file"]
                    limited = int((one / limit).read_text())  # "max" is none
                    yield limited - int((one / used).read_text()) + files
                if one == top:
                    break


def _process_limits(status):
    try:
        import resource

        used = _table(status)
    except (ImportError, OSError):
        return
    for kind, name in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit - used[name] * 1024


def _table(path):
    """Read the lines that consist of a name and a number."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _free_on_device():
    """Return the free bytes of the accelerator, infinity if unknown, None without accelerator."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
    if backend == "jax":
        import jax

        device = jax.local_devices()[0]
        if device.platform == "cpu":
            return None
        stats = device.memory_stats() or {}
        return stats.get("bytes_limit", math.inf) - stats.get("bytes_in_use", 0)
    if backend == "tensorflow":
        import tensorflow as tf

        return math.inf if tf.config.list_logical_devices("GPU") else None
    return None


# --- errors for too little memory --------------------------------------------------------------

_NAMES = ("ResourceExhaustedError", "OutOfMemoryError")  # TensorFlow's, torch's
_WORDS = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory", "can't allocate memory")


@contextlib.contextmanager
def memory_errors(work):
    """Turn each library's error for too little memory into a `MemoryError` that names the work."""
    try:
        yield
    except Exception as error:
        if not is_memory_error(error):
            raise
        raise MemoryError(
            f"There is too little memory for {work}: {readable(available_memory())} are available. "
            "End other programs, choose smaller tiles (`tile=128`), or make the image smaller. "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]:.200})"
        ) from error


def is_memory_error(error):
    """Return whether an exception of any backend means too little memory."""
    if isinstance(error, MemoryError) or type(error).__name__ in _NAMES:
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)


def readable(count):
    """Format a number of bytes for people: `"4.5 GB"`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
