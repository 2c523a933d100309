"""Files and folders that are there whole or not at all, whatever stops the writer or the power.

What is unfinished lies beside its place under a hidden name that says who writes it. What a process
left that died is removed when another one next writes to that folder.
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
REPLACED = ".replaced"  # by a system that can't exchange two folders
LONGEST_NAME = 150  # bytes; beyond that, a hash stands for a name
GIVEN_UP = 7 * 24 * 3600  # seconds after which what another machine left is nobody's
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)

_counter = itertools.count()


@contextlib.contextmanager
def atomic_file(path):
    """Yields the path of a file to write, which takes the place of `path` if nothing fails."""
    with _written_beside(Path(path)) as unfinished:
        yield unfinished
        atomic_replace(unfinished, path)


def atomic_replace(unfinished, path):
    """Give a file that is whole its name, on the disk too, in place of what has that name."""
    _sync(unfinished)
    os.replace(unfinished, path)
    _sync(Path(path).parent)


@contextlib.contextmanager
def atomic_folder(path):
    """Yields a path for a file or folder to make, which takes the place of `path` if nothing fails.

    At every moment one of both is in the place of `path`, unless the system can't exchange two
    folders: then `recover` brings back the old one after a kill between two renamings.
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
        _sync(path.parent)  # a power cut must not bring back the old one


def recover(path):
    """Bring back the folder `path` if a writer was killed while it took the place of another."""
    path = Path(path)
    if not os.path.lexists(path) and path.parent.is_dir():
        remove_abandoned(path.parent)


def remove_abandoned(folder):
    """Remove from `folder` what writers left that live no more; bring back what they moved away."""
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
    """Removes what writers of these files left beside them; nobody may be writing them."""
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
            f"{path} can't be written, and is as it was: {error.strerror}. Make room or give "
            "another place",
        ) from error
    finally:
        _remove(unfinished)


@functools.cache
def _remove_abandoned_once(folder, process):
    remove_abandoned(folder)


def _label(name):
    """The name, or what stands for it if there is no room for more before it."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + Path(name).suffix[-20:]


def _writer():
    """Who writes: machine, process, and when that began, for numbers of processes come again."""
    return f"{_host()}-{os.getpid()}-{_start(os.getpid())}"


@functools.cache
def _host():
    """Names this machine since its last start, and the namespace that counts its processes."""
    facts = [os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("".join(facts).encode()).hexdigest()[:8]


def _start(pid):
    """When a process began, in the kernel's ticks; "0" where that can't be told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _may_live(path, host, pid, start):
    """Whether the writer may still be at work."""
    if host != _host() or not os.path.exists("/proc/self/stat"):
        return time.time() - os.lstat(path).st_mtime < GIVEN_UP
    return os.path.exists(f"/proc/{pid}") and _start(pid) == start


def _exchange(one, other):
    """Let two paths change places at once; False where the system has no call for it."""
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
    """Wait until the disk has a file, or the names in a folder."""
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


atomic_file, atomic_folder = atomic_file, atomic_folder
