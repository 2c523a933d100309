"""How much memory is available for a translation, and errors for too little."""

import contextlib
import math
from pathlib import Path

from keras_cyclegan.processor import has_accelerator

# On a processor, tiles take about as long as the whole image. So a low limit costs little, and a
# photo is translated in the same way on each machine, whatever else is running there.
MAX_FOR_WHOLE = 2 * 2**30


def memory_for_whole():
    """Return the bytes that the translation of a whole image may take before tiles are better."""
    if has_accelerator():
        return math.inf  # its own error for too little memory leads to tiles
    return min(MAX_FOR_WHOLE, available_memory() / 2)


def available_memory(root="/"):
    """Return the bytes that Linux, and the container, still allow this process."""
    left = [2 * MAX_FOR_WHOLE]  # elsewhere unknown
    with contextlib.suppress(OSError, KeyError):
        left = [1024 * _table(Path(root, "proc/meminfo"))["MemAvailable:"]]
    group = Path(root, "sys/fs/cgroup")  # in a container, its own
    with contextlib.suppress(OSError, KeyError, ValueError):  # the limit "max" is none
        free = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
        cached = _table(group / "memory.stat")
        left.append(free + cached["inactive_file"] + cached["active_file"])
    return max(0, min(left))


def _table(path):
    """Read the lines that begin with a name and a number."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in lines}


# Of TensorFlow, JAX and torch.
_SIGNS = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED", "OutOfMemory", "ut of memory")


@contextlib.contextmanager
def memory_errors(work):
    """Turn each library's error for too little memory into a `MemoryError` that names the work."""
    try:
        yield
    except Exception as error:
        told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"
        if not any(sign in told for sign in (*_SIGNS, "can't allocate memory")):
            raise
        raise MemoryError(
            f"There is too little memory for {work}: {available_memory() / 1e6:,.0f} MB are "
            f"available. End other programs, or choose smaller tiles (`tile=128`). ({told})"
        ) from error
