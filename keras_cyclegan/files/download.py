"""Downloads files from the web: whole, checked, and only once."""

import contextlib
import hashlib
import logging
import os
import re
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import requests
import tqdm
import urllib3

from keras_cyclegan.files.atomic import NO_ROOM, atomic_file
from keras_cyclegan.files.lock import InUse, hold
from keras_cyclegan.files.untrusted import brief, shown

LOCK_TIMEOUT = 1800  # seconds that another process may take for the same file
MAX_BYTES = 4 * 2**30
ATTEMPTS = 6
BACK_OFF = 0.5  # seconds of waiting after a failed attempt, doubled each time
BLOCK = 2**15  # bytes that must come in
PATIENCE = 30  # seconds
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(RuntimeError):
    """Raised when a file could not be downloaded: try again, or put the file there yourself."""


class Interrupted(OSError):
    """Raised when an attempt failed that may succeed when it is repeated."""


PASSING = (Interrupted, requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)


def cache_folder():
    """Return the folder of downloads: `keras_cyclegan` in `KERAS_HOME` or in `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return Path(home).absolute() / "keras_cyclegan"


def is_offline():
    """Return whether `KERAS_CYCLEGAN_OFFLINE` or `HF_HUB_OFFLINE` forbids downloads."""
    names = ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def fetch(url, path, sha256=None, min_bytes=1, max_bytes=MAX_BYTES, attempts=ATTEMPTS):
    """Download a file to `path`, unless it is there already; of two processes one waits.

    `sha256` is the expected hash in hexadecimal, or its first digits. Without it, the hash of the
    first download is logged and recorded beside it (`.sha256`), and later ones must have it. A
    `DownloadError` says that the network is off or fails, or that the file isn't the expected one.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{8,64}", sha256):
        raise ValueError(
            f"Expected the 64 digits of a SHA-256, or the first 8. Received {sha256!r}."
        )
    path = Path(path)
    for file in (path, _record_of(path)):
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
                _fetch_missing(url, path, sha256, (min_bytes, max_bytes), attempts)
    verify(path, url, sha256)
    return path


@contextlib.contextmanager
def locked(path):
    """Let only one process at a time make `path`."""
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold(path.with_name(f"{path.name}.lock"), LOCK_TIMEOUT))
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


def verify(path, source, sha256=None, download=None):
    """Check the SHA-256 of `path`, or of its `download`, against the known one, or record it."""
    expected = sha256 or _recorded(path)
    try:
        found = sha256_of(download or path)
    except OSError as error:
        raise DownloadError(f"{path} can't be read: {error}. Remove it and try again.") from error
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "replaced. If the file exists, remove it to download it again; if a new version is "
            f"expected, remove {path}.sha256 too."
        )
    if expected is None and download:
        logging.getLogger(__name__).warning(
            "%s has SHA-256 %s: later downloads must have it too", source, found
        )
    if expected is None or download:
        with contextlib.suppress(OSError), atomic_file(_record_of(path)) as record:
            record.write_text(found + "\n")  # in a read-only cache nothing is recorded


def forget(path):
    """Remove a useless download."""
    for file in (path, _record_of(path)):
        file.unlink(missing_ok=True)


def sha256_of(path):
    """Compute the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_of(path):
    return path.with_name(f"{path.name}.sha256")


def _recorded(path):
    try:
        with open(_record_of(path), errors="replace") as file:
            text = file.read(100).strip()
    except FileNotFoundError:
        return None
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise DownloadError(
            f"{path}.sha256 holds no SHA-256: {shown(text)}. If you trust {path}, remove the "
            "record, else both."
        )
    return text


def _fetch_missing(url, path, sha256, sizes, attempts):
    try:
        with atomic_file(path) as unfinished:
            with open(unfinished, "wb") as file:
                _download(url, file, sizes, attempts)
            verify(path, url, sha256, unfinished)
    except OSError as error:  # of the network and of the disk
        advice = "Try again, or put the file there by other means."
        if error.errno in NO_ROOM:
            advice = "Make room, or set KERAS_HOME to a folder that has it."
        raise DownloadError(
            f"{url} could not be downloaded: {brief(error)}. Its place is {path}. {advice}"
        ) from error


def _download(url, file, sizes, attempts):
    for failures in range(attempts):
        time.sleep(BACK_OFF * 2 ** (failures - 1) if failures else 0)
        try:
            return _attempt(url, file, sizes)
        except PASSING as error:
            cause = error
    raise Interrupted(f"{attempts} attempts in a row failed, the last: {cause}") from cause


def _attempt(url, file, sizes):
    file.seek(0)
    file.truncate()
    # The response isn't closed where it fails: that would wait for a thread that reads it.
    response = _within(
        "the server does not answer",
        lambda: requests.get(
            url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=PATIENCE
        ),
    )
    hops = (*response.history, response)
    if url.startswith("https:") and any(hop.url.startswith("http:") for hop in hops):
        raise OSError("the server sends to an address without encryption")
    if response.status_code != 200:
        kind = Interrupted if response.status_code in TRANSIENT else OSError
        raise kind(f"the server answers {response.status_code} {brief(response.reason)}")
    total = response.headers.get("Content-Length")
    if total is not None:
        if not re.fullmatch("[0-9]{1,15}", total):
            raise OSError(f"the server declares a length of {shown(total)}")
        total = int(total)
        _check_size(total, sizes)
    slow = f"it is slower than {BLOCK} bytes in {PATIENCE} s"
    with tqdm.tqdm(unit="B", unit_scale=True, total=total, desc=url, disable=None) as bar:
        # Not decoded: a .tar.gz stays compressed even if the server calls that an encoding.
        while block := _within(slow, lambda: response.raw.read(BLOCK, decode_content=False)):
            bar.update(file.write(block))
            if file.tell() > sizes[1]:
                raise OSError(f"it has more than the {sizes[1]} bytes allowed")
    response.close()
    if total not in (None, file.tell()):
        raise Interrupted(f"{file.tell()} of {total} bytes have come")
    _check_size(file.tell(), sizes)


def _check_size(size, sizes):
    if not sizes[0] <= size <= sizes[1]:
        raise OSError(f"it has {size} bytes, expected {sizes[0]} to {sizes[1]}")


def _within(complaint, read):
    """Call `read()` in a thread, and stop waiting after `PATIENCE`.

    A server that sends a byte now and then never lets a socket's timeout expire. The thread is a
    daemon, so that an evil server doesn't keep the process from ending.
    """
    result = Future()

    def run():
        try:
            result.set_result(read())
        except Exception as error:  # a server can make the libraries raise nearly anything
            is_known = isinstance(error, (OSError, *PASSING))
            result.set_exception(
                error if is_known else OSError(f"the answer can't be read: {brief(error)}")
            )

    threading.Thread(target=run, daemon=True).start()
    try:
        return result.result(timeout=PATIENCE)
    except TimeoutError:
        raise Interrupted(complaint) from None
