"""Feeds targets with mutated files and sees that each promise of SECURITY.md is kept."""

import faulthandler
import gc
import logging
import os
import signal
import sys
import time
import traceback
import warnings

import keras
from support.bounds import little_memory

from .targets import TARGETS, numbers_of

logger = logging.getLogger(__name__)

SECONDS = 3.0  # of the processor, for what is accepted too
CLEARING = 200  # inputs after which Keras forgets what they made
HANGING = 60  # seconds of the processor for one input; then the process ends with a traceback
WAITING = 3600  # seconds of the clock for so many inputs, should one wait and not compute
EXPECTED = (ValueError, FileNotFoundError)
FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"),
    "pickle.find_class",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_watched = []  # the folder that may be written to, while an input is read
_broken = []  # forbidden actions that took place


def _watch(event, arguments):
    if not _watched:
        return
    if event in FORBIDDEN:
        _broken.append(f"{event}{arguments}"[:200])
    elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path, mode, flags = os.fsdecode(arguments[0]), arguments[1], arguments[2] or 0
        is_writing = flags & WRITING or (isinstance(mode, str) and set(mode) & set("wax+"))
        inside = os.path.abspath(path).startswith(_watched[0] + os.sep)
        if is_writing and not inside and path != os.devnull:
            _broken.append(f"{path} is opened to be written")
        if "secret" in path or path == "/etc/passwd":
            _broken.append(f"{path} is opened")


def run(folder, seed=0, first=0, inputs=None, minutes=None, names=tuple(TARGETS)):
    """Read mutated files until so many have been read, or so many minutes are over.

    Args:
        folder: `pathlib.Path` to work in.
        seed, first: ints. Input `n` is the same whenever these are.
        inputs: int.
        minutes: float.
        names: of the targets.

    Returns:
        `(counts, failures)`: a dict from a target to how many of its inputs were accepted and
        refused; a list of texts.
    """
    targets = {name: TARGETS[name][0](folder) for name in names}
    turns = [name for name in names for _ in range(TARGETS[name][1])]
    counts, failures = {name: [0, 0] for name in names}, []
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    n = first
    if not getattr(sys, "_is_fuzzed", False):  # a hook stays for good
        sys.addaudithook(_watch)
        sys._is_fuzzed = True
    gc.freeze()  # what is there already needn't be looked through again and again
    while time.monotonic() < until and (inputs is None or n < first + inputs):
        if n % CLEARING == 0 or n == first:
            keras.backend.clear_session()
            gc.collect()
            faulthandler.dump_traceback_later(WAITING, exit=True, file=sys.__stderr__)
        name = turns[n % len(turns)]
        targets[name].make(numbers_of(seed, n))
        accepted, complaints = _judge(targets[name], folder)
        counts[name][not accepted] += 1
        failures += [f"input {n} of seed {seed} ({name}): {complaint}" for complaint in complaints]
        n += 1
        if n % 1000 == 0:
            logger.info("%d inputs, %d broken promises", n - first, len(failures))
    faulthandler.cancel_dump_traceback_later()
    gc.unfreeze()
    return counts, failures


def _end_if_hanging(seconds):
    """Ends the process with a traceback, inside of C too, unless it is called with 0 before."""
    if hasattr(signal, "setitimer"):
        faulthandler.register(signal.SIGPROF, sys.__stderr__, chain=True)  # and then dies of it
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _judge(target, folder):
    """Whether a target takes its input, and which promises it breaks."""
    complaints, said = [], None
    _end_if_hanging(HANGING)
    begun = time.process_time()
    _broken.clear()
    _watched.append(str(folder))
    try:
        with little_memory(target.memory), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read()
    except EXPECTED as error:
        said = str(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        complaints.append(f"{type(error).__name__}\n{traceback.format_exc()[-2000:]}")
    finally:
        _watched.clear()
        _end_if_hanging(0)
    if (cost := time.process_time() - begun) > SECONDS:
        complaints.append(f"takes {cost:.1f} s")
    if said is not None:
        if len(said) > 2000 or "\n" in said:
            complaints.append(f"says {len(said)} characters: {said[:300]!r}")
        if "MemoryError" in said or "recursion" in said or "allocate" in said:
            complaints.append(f"ends at a limit of the machine: {said[:300]}")
    complaints += _broken
    return said is None and not complaints, complaints
