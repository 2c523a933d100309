"""Writes files and folders whole or not at all, even if the process is killed or the power fails.

What is unfinished lies beside its final place, in a hidden folder named after the writer. If the
writer dies, the next one to write there removes it.
"""

import contextlib
import errno
import functools
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

UNFINISHED = ".unfinished-"
REPLACED = ".replaced-"  # before the name of an old folder, while the new one takes its place
ABANDONED_AFTER = 7 * 24 * 3600  # seconds; for files of another machine, whose writer may live


@contextlib.contextmanager
def atomic_file(path):
    """Yield a path of the same name for a file or folder, which replaces `path` if nothing fails.

    Where a folder is replaced, there is a moment between two renamings without the old and the new
    one: `recover` waits for its end, or brings back the old one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_once(os.path.abspath(path.parent))
    prefix = f"{UNFINISHED}{os.getpid()}-{platform.node()}-"
    with tempfile.TemporaryDirectory("", prefix, path.parent, True) as folder:
        unfinished = Path(folder, path.name)
        yield unfinished
        for file in (*unfinished.rglob("*"), unfinished):
            _sync(file)
        if not os.path.lexists(path) or (path.is_file() and unfinished.is_file()):
            os.replace(unfinished, path)
        else:
            _replace(unfinished, path, Path(folder, REPLACED))
        _sync(path.parent)  # else a power cut could bring back the old one


def recover(path, patience=1):
    """Bring back the folder `path` if its writer died, or waits, between the two renamings."""
    replaced = _aside(Path(path))
    until = time.monotonic() + patience
    while not os.path.lexists(path) and replaced.exists():
        if time.monotonic() > until:
            with contextlib.suppress(OSError):
                os.rename(replaced, path)
            return
        time.sleep(0.01)


def remove_abandoned(*folders):
    """Remove what dead writers left unfinished in `folders`."""
    for path in (path for folder in folders for path in Path(folder).glob(f"{UNFINISHED}*-*-*")):
        with contextlib.suppress(OSError):
            writer, _, _ = path.name.removeprefix(UNFINISHED).rpartition("-")
            pid, _, host = writer.partition("-")
            if host == platform.node() and os.path.exists("/proc/self"):
                may_live = os.path.exists(f"/proc/{pid}")
            else:
                may_live = time.time() - path.stat().st_mtime < ABANDONED_AFTER
            if not may_live:
                shutil.rmtree(path)


_remove_abandoned_once = functools.cache(remove_abandoned)


def _replace(unfinished, path, rubbish):
    replaced = _aside(path)
    if replaced.exists():  # left by a writer that died after it had put the new one in its place
        os.rename(replaced, rubbish.with_suffix(".older"))
    os.rename(path, replaced)
    try:
        os.rename(unfinished, path)
    except OSError:
        os.rename(replaced, path)
        raise
    _sync(path.parent)  # before the old one is removed
    os.rename(replaced, rubbish)


def _aside(path):
    return path.with_name(REPLACED + path.name)


def _sync(path):
    """Wait until the disk has a file, or the names of the files in a folder."""
    if os.path.islink(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that doesn't sync folders
            raise
    finally:
        os.close(descriptor)
