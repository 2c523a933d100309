"""What reading an evil file may cost at most."""

import contextlib
import gc
import resource
import signal
import time

import pytest

SECONDS = 1.0
HANGING = 60  # by the clock
BYTES = 500 * 2**20


@contextlib.contextmanager
def refused(match="", error=ValueError):
    """Expect that the block refuses its input in one line, within a second and 500 MB."""
    gc.freeze()  # what earlier tests left isn't looked through in this second
    begun = time.process_time()
    try:
        with ended_after(HANGING), little_memory(), pytest.raises(error, match=match) as caught:
            yield caught
    finally:
        cost = time.process_time() - begun
        gc.unfreeze()
    said = str(caught.value)
    assert "MemoryError" not in said, said
    assert "recursion" not in said, said
    assert len(said) < 2000, said[:2000]
    assert "\n" not in said, said
    assert cost < SECONDS, f"{cost:.1f} s for: {said}"


@contextlib.contextmanager
def ended_after(seconds):
    """Raise a `TimeoutError` in what waits for longer, for a pipe that nobody writes to."""

    def end(*_):
        raise TimeoutError(f"not refused within {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def little_memory(most=BYTES):
    """Let allocations fail that need more than `most` bytes over what the process has."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
