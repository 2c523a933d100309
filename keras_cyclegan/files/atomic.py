"""Writes files and folders whole or not at all, even if the process is killed or the power fails.

Unfinished files are beside their final place, under a hidden name that identifies the writer. If a
process dies, its unfinished files are removed when another process writes to that folder.
"""

import contextlib
import ctypes
import errno
import functools
import hashlib
import itertools
import os
import shutil
import sys
import time
from pathlib import Path

UNFINISHED = ".unfinished"
REPLACED = ".replaced"  # for an old folder, where the system can't exchange two folders
LONGEST_NAME = 150  # bytes; longer names are replaced by a hash
ABANDONED_AFTER = 7 * 24 * 3600  # seconds; for files of another machine, whose writer may live
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)

_counter = itertools.count()


@contextlib.contextmanager
def atomic_file(path):
    """Yield the path of a file to write, which replaces `path` if nothing fails."""
    with _written_beside(Path(path)) as unfinished:
        yield unfinished
        atomic_replace(unfinished, path)


def atomic_replace(unfinished, path):
    """Rename a finished file to `path`, which it replaces, and wait until the disk has it."""
    _sync(unfinished)
    os.replace(unfinished, path)
    _sync(Path(path).parent)


@contextlib.contextmanager
def atomic_folder(path):
    """Yield a path for a file or folder to make, which replaces `path` if nothing fails.

    At every moment `path` is the old one or the new one. If the system can't exchange two folders,
    there is a moment between two renamings without either: after a kill there, `recover` brings
    back the old one.
    """
    path = Path(path)
    with _written_beside(path) as unfinished:
        yield unfinished
        for file in unfinished.rglob("*"):
            _sync(file)
        _sync(unfinished)
        if not os.path.lexists(path) or (path.is_file() and unfinished.is_file()):
            os.replace(unfinished, path)
        elif not _exchange(unfinished, path):
            replaced = path.with_name(f"{REPLACED}-{_writer()}-{next(_counter)}-{path.name}")
            os.rename(path, replaced)
            try:
                os.rename(unfinished, path)
            except OSError:
                os.rename(replaced, path)
                raise
            _sync(path.parent)
            _remove(replaced)
        _sync(path.parent)  # else a power cut could bring back the old one


def recover(path):
    """Bring back the folder `path` if a writer was killed while it replaced that folder."""
    path = Path(path)
    if not os.path.lexists(path) and path.parent.is_dir():
        remove_abandoned(path.parent)


def remove_abandoned(folder):
    """Remove unfinished files of dead writers from `folder`; bring back what they had moved."""
    for path in Path(folder).glob(".*-*-*-*-*-*"):
        kind, host, pid, start, _, name = path.name.split("-", 5)
        with contextlib.suppress(OSError):
            if kind not in (UNFINISHED, REPLACED) or _may_live(path, host, pid, start):
                continue
            if kind == REPLACED and not os.path.lexists(path.with_name(name)):
                os.rename(path, path.with_name(name))
            else:
                _remove(path)


def remove_unfinished(paths):
    """Remove unfinished files beside these files, which no process may be writing now."""
    names = {}
    for path in map(Path, paths):
        names.setdefault(path.parent, set()).add(_label(path.name))
    for folder in filter(Path.is_dir, names):
        for file in folder.glob(f"{UNFINISHED}-*-*-*-*-*"):
            if file.name.split("-", 5)[5] in names[folder]:
                _remove(file)


@contextlib.contextmanager
def _written_beside(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_once(os.path.abspath(path.parent), os.getpid())
    name = f"{UNFINISHED}-{_writer()}-{next(_counter)}-{_label(path.name)}"
    unfinished = path.with_name(name)
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


def _label(name):
    """Return the name, or a hash if it is too long for a prefix."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + Path(name).suffix[-20:]


def _writer():
    """Identify the writer: machine, process, and its start, because process ids are reused."""
    return f"{_host()}-{os.getpid()}-{_start(os.getpid())}"


@functools.cache
def _host():
    """Identify this machine since its last start, and the namespace of process ids."""
    facts = [os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:8]


def _start(pid):
    """Return when a process began, in the kernel's ticks; "0" if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _may_live(path, host, pid, start):
    """Return whether the writer may still be running."""
    if host != _host() or not os.path.exists("/proc/self/stat"):
        return time.time() - os.lstat(path).st_mtime < ABANDONED_AFTER
    return os.path.exists(f"/proc/{pid}") and _start(pid) == start


def _exchange(one, other):
    """Exchange two paths in one step; return False if the system can't."""
    if not sys.platform.startswith("linux"):
        return False
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "renameat2"):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if system.renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return True
    code = ctypes.get_errno()
    if code in NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))


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
