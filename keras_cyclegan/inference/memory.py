"""How much memory is available for a translation, and errors for too little."""

import contextlib
import math
from pathlib import Path

from keras_cyclegan.processor import has_accelerator

# On a processor, tiles take about as long as the whole image. So a low limit costs little, and a
# photo is translated in the same way on each machine, whatever else is running there.
MAX_FOR_WHOLE = 2 * 2**30
_share = 1.0


def share_memory(processes):
    """Use 1/`processes` of the memory only, for as many that translate at once."""
    global _share
    _share = 1 / processes


def memory_for_whole():
    """Return the bytes that the translation of a whole image may take before tiles are better."""
    if has_accelerator():
        return math.inf  # its own error for too little memory leads to tiles
    return min(MAX_FOR_WHOLE, available_memory() / 2)


def available_memory(root="/"):
    """Return the bytes that the machine, control groups and `ulimit` still allow this process."""
    proc = Path(root, "proc")
    left = [_machine(proc / "meminfo"), *_groups(Path(root)), *_limits(proc / "self/status")]
    return _share * max(0, min(left))


def _machine(path):
    with contextlib.suppress(OSError, KeyError):
        return _table(path)["MemAvailable:"] * 1024
    return 2 * MAX_FOR_WHOLE  # unknown without Linux


def _groups(root):
    """Yield what each control group (version 2) of this process still allows."""
    top = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            # In a container, its own group may be at the top, whatever the path says.
            folder = top / line.rpartition(":")[2].lstrip("/")
            for level in [path for path in (folder, *folder.parents) if path.is_relative_to(top)]:
                with contextlib.suppress(OSError, ValueError, KeyError):
                    stat = _table(level / "memory.stat")
                    limit = int((level / "memory.max").read_text())  # "max" is none
                    used = int((level / "memory.current").read_text())
                    yield limit - used + stat["inactive_file"] + stat["active_file"]


def _limits(status):
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
