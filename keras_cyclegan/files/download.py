"""Downloads files from the web: whole, checked, and only once."""

import contextlib
import hashlib
import logging
import os
import re
from pathlib import Path

import requests

from keras_cyclegan.files.atomic import atomic_file, atomic_replace
from keras_cyclegan.files.lock import InUse, hold
from keras_cyclegan.files.messages import brief, shown
from keras_cyclegan.files.transfer import ATTEMPTS, Interrupted, NoRoom, Refused, discard, transfer

LOCK_TIMEOUT = 1800  # seconds that another process may take for the same file
LARGEST = 4 * 2**30  # bytes


class DownloadError(RuntimeError):
    """Raised when a file could not be downloaded.

    The message says why, and from where to where: try again, or put the file there yourself.
    """


def cache_folder():
    """Return the folder of downloads: `keras_cyclegan` in `KERAS_HOME` or in `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return Path(home).absolute() / "keras_cyclegan"


def is_offline():
    """Return whether `KERAS_CYCLEGAN_OFFLINE` or `HF_HUB_OFFLINE` forbids downloads."""
    names = ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def fetch(url, path, sha256=None, least=1, most=LARGEST, attempts=ATTEMPTS):
    """Download a file to `path`, unless it is there already.

    An interrupted download continues where it stopped, in the next attempt or in another process.
    Two processes don't download one file at the same time: the second waits for the first, for a
    limited time, and logs that it does. The file gets its name only when it is complete.

    Args:
        url: str. Address of the file.
        path: path for the file. Its SHA-256 (`.sha256`) and the unfinished file (`.part`) are
            beside it.
        sha256: str. Expected hash in hexadecimal, or its first digits. None, the default, records
            the hash of the first download, which later ones must have.
        least, most: ints. Smallest and largest number of bytes of the file.
        attempts: int, 6 by default. Attempts in a row without progress before it gives up.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        DownloadError: the network is off or fails, or the file isn't the expected one.
        ValueError: `sha256` isn't a SHA-256 or the beginning of one.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{8,64}", sha256):
        raise ValueError(f"Expected the 64 digits of a SHA-256, or the first 8. Got {sha256!r}.")
    path = Path(path)
    for file in (path, *(_beside(path, end) for end in (".part", ".part.version", ".sha256"))):
        if os.path.lexists(file) and not file.is_file():
            raise DownloadError(f"{file} must be a file, and it isn't. Remove it and try again.")
    # An existing file is complete. No lock for it: its folder may be read-only.
    if not path.exists():
        if is_offline():
            raise DownloadError(
                f"Offline mode is on, and {path} is missing. Download {url} on a machine with a "
                "network and copy it there, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
            )
        with locked(path):
            if not path.exists():  # another process may have downloaded it
                _fetch_missing(url, path, sha256, least, most, attempts)
    verify(path, url, sha256)
    return path


@contextlib.contextmanager
def locked(path):
    """Let only one process at a time make `path`; make its folder."""

    def waiting(holder):
        logging.getLogger(__name__).warning("%s is being made by %s: waiting", path, holder)

    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold(_beside(path, ".lock"), LOCK_TIMEOUT, waiting))
        except InUse as error:
            raise DownloadError(
                f"{path} is still being made by {error.holder} after {LOCK_TIMEOUT} s. Try again "
                "later, or end that process."
            ) from None
        except OSError as error:
            raise DownloadError(
                f"{path} can't be made: {error}. Set KERAS_HOME to a folder that can be written to."
            ) from error
        yield


def verify(path, source, sha256=None):
    """Check a file's SHA-256 against `sha256` or the recorded one; record it if none is known."""
    expected = sha256 or _recorded(path)
    try:
        found = _check_hash(path, source, expected)
    except OSError as error:
        raise DownloadError(f"{path} can't be read: {error}. Remove it and try again.") from error
    if expected is None:
        with contextlib.suppress(OSError):  # in a read-only cache nothing is recorded
            _record(path, found)


def forget(path):
    """Remove a useless download, so that the next one starts from the beginning."""
    for file in (path, _beside(path, ".sha256")):
        file.unlink(missing_ok=True)


def sha256_of(path):
    """Compute the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_missing(url, path, sha256, least, most, attempts):
    unfinished = _beside(path, ".part")
    try:
        transfer(url, unfinished, least, most, attempts)
        _record(path, _check_hash(unfinished, url, sha256 or _recorded(path)))
    except DownloadError:
        discard(unfinished)
        raise
    except OSError as error:  # of the network and of the disk
        if isinstance(error, Refused):
            discard(unfinished)
        of_network = isinstance(error, (Refused, Interrupted, requests.RequestException))
        if of_network and not isinstance(error, NoRoom):
            advice = "Try again, or put the file there by other means."
        else:
            advice = "Make room, or set KERAS_HOME to a folder that has it."
        raise DownloadError(
            f"{url} could not be downloaded: {brief(error)}. Its place is {path}. {advice}"
        ) from error
    atomic_replace(unfinished, path)
    discard(unfinished)


def _check_hash(path, source, expected):
    found = sha256_of(path)
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "replaced. If the file exists, remove it to download it again; if a new version is "
            f"expected, remove {path}.sha256 too."
        )
    return found


def _recorded(path):
    """Return the SHA-256 of the first download; None where there was none."""
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
            f"{record} holds no SHA-256: {shown(text)}. If you trust {path}, remove the record, "
            "else both."
        )
    return text


def _record(path, sha256):
    with atomic_file(_beside(path, ".sha256")) as unfinished:
        unfinished.write_text(sha256 + "\n")


def _beside(path, suffix):
    return path.with_name(path.name + suffix)
