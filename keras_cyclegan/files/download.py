"""Files from the web: whole, checked, and never downloaded twice."""

import contextlib
import datetime
import hashlib
import logging
import os
import re
import socket
from pathlib import Path

import filelock
import requests

from keras_cyclegan.files.atomic import atomic_file, atomic_replace
from keras_cyclegan.files.messages import brief, shown
from keras_cyclegan.files.transfer import ATTEMPTS, Interrupted, NoRoom, Refused, discard, transfer

PATIENCE_WITH_OTHERS = 1800  # seconds that another process may take for the same file
LARGEST = 4 * 2**30  # bytes


class DownloadError(RuntimeError):
    """A file could not be downloaded; the message says why, from where, and where it should lie."""


def cache_folder():
    """Where downloads are kept: `keras_cyclegan` in `KERAS_HOME`, or in `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return Path(home).absolute() / "keras_cyclegan"


def is_offline():
    """Whether `KERAS_CYCLEGAN_OFFLINE` or `HF_HUB_OFFLINE` forbids to use the network."""
    names = ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def fetch(url, path, sha256=None, least=1, most=LARGEST, attempts=ATTEMPTS):
    """Downloads a file to `path`, unless it is there.

    A cut download goes on where it stopped, in the next attempt or in another process. Two
    processes don't download at the same time: one waits, and says for whom, but not for ever. The
    file takes its name only when it is whole.

    Args:
        url: where from.
        path: where to. Beside it lie its SHA-256 (`.sha256`) and what is unfinished (`.part`).
        sha256: expected hash in hexadecimal, or as many of its first digits as are published.
            Where it isn't known, the first download's is recorded, and later ones must have the
            same.
        least, most: ints. Bytes that the file may have.
        attempts: int. Attempts in a row that may bring next to nothing before it is given up.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        DownloadError: the network is off or fails, or the file isn't what it should be.
        ValueError: `sha256` is none.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{8,64}", sha256):
        raise ValueError(f"Expected the 64 digits of a SHA-256, or the first 8. Got {sha256!r}.")
    path = Path(path)
    for file in (path, *(_beside(path, end) for end in (".part", ".part.version", ".sha256"))):
        if os.path.lexists(file) and not file.is_file():
            raise DownloadError(f"{file} must be a file, and it is none. Remove it and try again.")
    # A file that is there is whole, and may lie in a cache that nobody may write to.
    if not path.exists():
        if is_offline():
            raise DownloadError(
                f"Offline mode is on, and {path} is not there. Download {url} to it on a machine "
                "with a network, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
            )
        with locked(path):
            if not path.exists():  # another process may have been here before
                _fetch_missing(url, path, sha256, least, most, attempts)
    verify(path, url, sha256)
    return path


@contextlib.contextmanager
def locked(path):
    """Lets one process at a time make `path`, for which it makes the folder."""
    holder = _beside(path, ".lock.holder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(_beside(path, ".lock"))
        _acquire(lock, path, holder)
    except OSError as error:
        raise DownloadError(
            f"{path} can't be made: {error}. Set KERAS_HOME to a folder that can be written to."
        ) from error
    try:
        with contextlib.suppress(OSError):  # a full disk; it is only for messages
            now = datetime.datetime.now().isoformat(" ", "seconds")
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _acquire(lock, path, holder):
    try:
        lock.acquire(timeout=min(2, PATIENCE_WITH_OTHERS))
        return
    except filelock.Timeout:
        logging.getLogger(__name__).warning("%s is being made by %s: waiting", path, _name(holder))
    try:
        lock.acquire(timeout=PATIENCE_WITH_OTHERS)
    except filelock.Timeout:
        raise DownloadError(
            f"{path} is being made by {_name(holder)}, and was waited for {PATIENCE_WITH_OTHERS} "
            "s. Try again later, or end that process."
        ) from None


def _name(holder):
    try:
        return brief(holder.read_text(errors="replace")) or "another process"
    except OSError:
        return "another process"


def verify(path, source, sha256=None):
    """Refuse a file whose SHA-256 is not `sha256`, or else the recorded one; record the first."""
    expected = sha256 or _recorded(path)
    try:
        found = _check_hash(path, source, expected)
    except OSError as error:
        raise DownloadError(f"{path} can't be read: {error}. Remove it and try again.") from error
    if expected is None:
        with contextlib.suppress(OSError):  # a cache that can't be written to holds no records
            _record(path, found)


def forget(path):
    """Remove a download that turned out to be useless, so that the next one starts afresh."""
    for file in (path, _beside(path, ".sha256")):
        file.unlink(missing_ok=True)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_missing(url, path, sha256, least, most, attempts):
    part = _beside(path, ".part")
    try:
        transfer(url, part, least, most, attempts)
        _record(path, _check_hash(part, url, sha256 or _recorded(path)))
    except DownloadError:
        discard(part)
        raise
    except OSError as error:  # of the network and of the disk
        if isinstance(error, Refused):
            discard(part)
        of_network = isinstance(error, (Refused, Interrupted, requests.RequestException))
        if of_network and not isinstance(error, NoRoom):
            advice = "Try again, or put the file there by other means."
        else:
            advice = "Make room, or set KERAS_HOME to a folder that has it."
        raise DownloadError(
            f"{url} could not be downloaded: {brief(error)}. Its place is {path}. {advice}"
        ) from error
    atomic_replace(part, path)
    discard(part)


def _check_hash(path, source, expected):
    found = sha256_of(path)
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "exchanged. If the file is there, remove it to download it anew; if its origin was "
            f"meant to change, remove {path}.sha256 too."
        )
    return found


def _recorded(path):
    """The SHA-256 that the first download had; None where there was none."""
    record = _beside(path, ".sha256")
    try:
        with open(record, errors="replace") as file:
            text = file.read(100).strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DownloadError(f"{record} can't be read: {error}. Remove it.") from error
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise DownloadError(
            f"{record} holds no SHA-256: {shown(text)}. If you trust {path}, remove the record; if "
            "not, both."
        )
    return text


def _record(path, sha256):
    with atomic_file(_beside(path, ".sha256")) as unfinished:
        unfinished.write_text(sha256 + "\n")


def _beside(path, suffix):
    return path.with_name(path.name + suffix)
