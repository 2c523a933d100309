"""A lock that one process at a time holds, with a note beside it that tells the others who does."""

import contextlib
import datetime
import os
import socket

import filelock

from keras_cyclegan.files.untrusted import brief

PATIENCE = 2  # seconds


class InUse(RuntimeError):
    """Raised when another process holds a lock; `holder` says which, as far as it is known."""

    def __init__(self, holder):
        super().__init__(f"It is in use by {holder}.")
        self.holder = holder


@contextlib.contextmanager
def hold(path):
    """Hold the lock `path` for `with`, or raise `InUse`."""
    note = path.with_name(path.name + ".holder")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except filelock.Timeout:
        holder = ""
        with contextlib.suppress(OSError):
            holder = brief(note.read_text(errors="replace"))
        raise InUse(holder or "another process") from None
    try:
        with contextlib.suppress(OSError):  # on a full disk; the note is for messages only
            now = datetime.datetime.now(datetime.UTC).isoformat(" ", "seconds")
            note.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {now}")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()
