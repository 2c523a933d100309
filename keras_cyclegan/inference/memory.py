"""How much memory is available for a translation, and errors for too little."""

import contextlib
import math
from pathlib import Path

import keras

from keras_cyclegan.processor import has_accelerator

# On a processor, tiles take about as long as the whole image. So a low limit costs little, and a
# photo is translated in the same way on each machine, whatever else is running there.
MAX_FOR_WHOLE = 2 * 2**30
# Files of control groups, of version 2 and 1, by the controllers that `/proc/self/cgroup` names:
# folder, limit, used, and what the names of cached files begin with.
GROUPS = {
    "": ("", "memory.max", "memory.current", ""),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
}
_share = 1.0


def share_memory(processes):
    """Use 1/`processes` of the memory only, for as many that translate at once."""
    global _share
    _share = 1 / processes


def memory_for_whole():
    """Return the bytes that the translation of a whole image may take before tiles are better."""
    if has_accelerator():
        return _free_on_device() / 2
    return min(MAX_FOR_WHOLE, available_memory() / 2)


def available_memory(root="/"):
    """Return the bytes that this process can still allocate, as far as the system tells.

    It is the smallest of the machine's available memory, of what its control groups (a container's)
    still allow, and of what its own limits (`ulimit -v`, `ulimit -d`) still allow.

    Args:
        root: path, "/" by default. The folder that holds `proc` and `sys`.
    """
    proc = Path(root, "proc")
    left = [_machine(proc / "meminfo"), *_groups(Path(root)), *_limits(proc / "self/status")]
    return _share * max(0, min(left))


def _machine(path):
    with contextlib.suppress(OSError, KeyError):
        return _table(path)["MemAvailable:"] * 1024
    return 2 * MAX_FOR_WHOLE  # unknown without Linux


def _groups(root):
    """Yield what each control group of this process still allows."""
    with contextlib.suppress(OSError):
        for line in Path(root, "proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers not in GROUPS:
                continue
            place, limit, used, cached = GROUPS[controllers]
            top = Path(root, "sys/fs/cgroup", place)
            folder = top / group.lstrip("/")
            # In a container, its own group may be at the top, whatever the path says.
            for level in [path for path in (folder, *folder.parents) if path.is_relative_to(top)]:
                with contextlib.suppress(OSError, ValueError, KeyError):
                    stat = _table(level / "memory.stat")
                    files = stat[f"{cached}inactive_file"] + stat[f"{cached}active_file"]
                    limited = int((level / limit).read_text())  # "max" is none
                    yield limited - int((level / used).read_text()) + files


def _limits(status):
    """Yield what the limits of this process still allow."""
    with contextlib.suppress(ImportError, OSError):
        import resource

        used = _table(status)
        for kind, name in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
            limit, _ = resource.getrlimit(kind)
            if limit != resource.RLIM_INFINITY:
                yield limit - used[name] * 1024


def _table(path):
    """Read the lines that consist of a name and a number."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _free_on_device():
    """Return the free bytes of the accelerator, infinity if unknown."""
    match keras.backend.backend():
        case "torch":
            import torch

            return torch.cuda.mem_get_info()[0]
        case "jax":
            import jax

            stats = jax.local_devices()[0].memory_stats() or {}
            return stats.get("bytes_limit", math.inf) - stats.get("bytes_in_use", 0)
    return math.inf


# --- errors for too little memory --------------------------------------------------------------

_NAMES = ("ResourceExhaustedError", "OutOfMemoryError")  # TensorFlow's, torch's
_WORDS = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory", "can't allocate memory")


@contextlib.contextmanager
def memory_errors(work):
    """Turn each library's error for too little memory into a `MemoryError` that names the work."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, MemoryError) or type(error).__name__ in _NAMES
        told = isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)
        if not known and not told:
            raise
        raise MemoryError(
            f"There is too little memory for {work}: {readable(available_memory())} are available. "
            "End other programs, choose smaller tiles (`tile=128`), or make the image smaller. "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]:.200})"
        ) from error


def readable(count):
    """Format a number of bytes for people: `"4.5 GB"`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
