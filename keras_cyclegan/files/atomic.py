"""Writes files and folders whole or not at all, even if the process is killed or the power fails.

Unfinished files are beside their final place, under a hidden name that identifies the writer. If a
process dies, its unfinished files are removed when another process writes to that folder.
"""

import contextlib
import errno
import functools
import hashlib
import itertools
import os
import platform
import shutil
import time
from pathlib import Path

UNFINISHED = ".unfinished"
REPLACED = ".replaced"  # an old folder, while the new one takes its place
ABANDONED_AFTER = 7 * 24 * 3600  # seconds; for files of another machine, whose writer may live
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

_counter = itertools.count()


@contextlib.contextmanager
def atomic_file(path):
    """Yield the path of a file to write, which replaces `path` if nothing fails."""
    with _written_beside(Path(path)) as unfinished:
        yield unfinished
        _sync(unfinished)
        os.replace(unfinished, path)
        _sync(Path(path).parent)


@contextlib.contextmanager
def atomic_folder(path):
    """Yield a path for a file or folder to make, which replaces `path` if nothing fails.

    Between two renamings there is a moment without the old and the new folder: `recover` waits for
    its end, or brings back the old one.
    """
    path = Path(path)
    with _written_beside(path) as unfinished:
        yield unfinished
        for file in (*unfinished.rglob("*"), unfinished):
            _sync(file)
        if not os.path.lexists(path) or (path.is_file() and unfinished.is_file()):
            os.replace(unfinished, path)
        else:
            replaced = path.with_name(f"{REPLACED}-{_writer()}-{path.name}")
            os.rename(path, replaced)
            try:
                os.rename(unfinished, path)
            except OSError:
                os.rename(replaced, path)
                raise
            _sync(path.parent)  # before the old one is removed
            _remove(replaced)
        _sync(path.parent)  # else a power cut could bring back the old one


def recover(path, patience=1):
    """Bring back the folder `path` if a writer was killed, or failed, while it replaced that.

    A writer that lives has `patience` seconds to put the new one in its place.
    """
    path = Path(path)
    until = time.monotonic() + patience
    while not os.path.lexists(path):
        remove_abandoned(path.parent)
        asides = path.parent.glob(f"{REPLACED}-*-*-*-*")
        aside = next((aside for aside in asides if _label(aside) == path.name), None)
        if aside is None:
            return
        if time.monotonic() > until:
            with contextlib.suppress(OSError):
                os.rename(aside, path)
            return
        time.sleep(0.01)


def remove_abandoned(*folders):
    """Remove unfinished files of dead writers from `folders`; bring back what they had moved."""
    for path in itertools.chain(*(Path(folder).glob(".*-*-*-*-*") for folder in folders)):
        kind, host, pid, _, name = path.name.split("-", 4)
        with contextlib.suppress(OSError):
            if kind not in (UNFINISHED, REPLACED) or _may_live(path, host, pid):
                continue
            if kind == REPLACED and not os.path.lexists(path.with_name(name)):
                os.rename(path, path.with_name(name))
            else:
                _remove(path)


@contextlib.contextmanager
def _written_beside(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_once(os.path.abspath(path.parent), os.getpid())
    # The end of the name tells writers the format; all of it might be too long with a prefix.
    unfinished = path.with_name(f"{UNFINISHED}-{_writer()}-{path.name[-40:]}")
    try:
        yield unfinished
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise OSError(
            error.errno,
            f"{path} can't be written, and is unchanged: {error.strerror}. Make room or give "
            "another place",
        ) from error
    finally:
        _remove(unfinished)


@functools.cache
def _remove_abandoned_once(folder, process):
    remove_abandoned(folder)


def _label(path):
    return path.name.split("-", 4)[4]


def _writer():
    """Identify the writer, and which of its files this is: machine, process, number."""
    return f"{_host()}-{os.getpid()}-{next(_counter)}"


@functools.cache
def _host():
    """Identify this machine, and the namespace of its process ids: containers have their own."""
    facts = [platform.node()]
    with contextlib.suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:8]


def _may_live(path, host, pid):
    """Return whether the writer may still be running."""
    if host != _host() or not os.path.exists("/proc/self"):
        return time.time() - os.lstat(path).st_mtime < ABANDONED_AFTER
    return os.path.exists(f"/proc/{pid}")


def _sync(path):
    """Wait until the disk has a file, or the names of the files in a folder."""
    if os.path.islink(path) or (os.name == "nt" and os.path.isdir(path)):
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that doesn't sync folders
            raise
    finally:
        os.close(descriptor)


def _remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)
