"""Downloads files from the web: whole, checked, and only once."""

import contextlib
import hashlib
import logging
import os
import queue
import re
import threading
import time
from pathlib import Path

import requests
import tqdm
import urllib3

from keras_cyclegan.files.atomic import NO_ROOM, atomic_file
from keras_cyclegan.files.lock import InUse, hold
from keras_cyclegan.files.untrusted import brief, shown

LOCK_TIMEOUT = 1800  # seconds that another process may take for the same file
MAX_BYTES = 4 * 2**30
ATTEMPTS = 6  # in a row without progress
BACK_OFF = 0.5  # seconds of waiting after a failed attempt, doubled each time
BLOCK = 2**15  # bytes that must come in
PATIENCE = 30  # seconds
TRANSIENT = (408, 416, 425, 429, 500, 502, 503, 504)

logger = logging.getLogger(__name__)


class DownloadError(RuntimeError):
    """Raised when a file could not be downloaded.

    The message says why, and from where to where: try again, or put the file there yourself.
    """


class Interrupted(OSError):
    """Raised when an attempt failed that may succeed when it is repeated."""


PASSING = (
    Interrupted,
    requests.ConnectionError,
    requests.Timeout,
    urllib3.exceptions.HTTPError,  # while the body is read
)


def cache_folder():
    """Return the folder of downloads: `keras_cyclegan` in `KERAS_HOME` or in `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return Path(home).absolute() / "keras_cyclegan"


def is_offline():
    """Return whether `KERAS_CYCLEGAN_OFFLINE` or `HF_HUB_OFFLINE` forbids downloads."""
    names = ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def fetch(url, path, sha256=None, min_bytes=1, max_bytes=MAX_BYTES, attempts=ATTEMPTS):
    """Download a file to `path`, unless it is there already.

    An attempt goes on where the one before it stopped. Of two processes the second waits for the
    first, and logs that it does. The file gets its name only when it is complete.

    Args:
        url: str. Address of the file.
        path: path for the file. Its SHA-256 is kept beside it (`.sha256`).
        sha256: str. Expected hash in hexadecimal, or its first digits. None, the default, records
            and logs the hash of the first download, which later ones must have.
        min_bytes, max_bytes: ints. Smallest and largest size of the file.
        attempts: int, 6 by default. Attempts in a row without progress before it gives up.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        DownloadError: the network is off or fails, or the file isn't the expected one.
        ValueError: `sha256` isn't a SHA-256 or the beginning of one.
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
                _fetch_missing(url, path, sha256, _Transfer(url, min_bytes, max_bytes), attempts)
    verify(path, url, sha256)
    return path


@contextlib.contextmanager
def locked(path):
    """Let only one process at a time make `path`; make its folder."""
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


def verify(path, source, sha256=None, file=None):
    """Check the SHA-256 of `file`, by default `path`, against `sha256` or the one recorded.

    Where none is known, it is recorded beside `path`.
    """
    expected = sha256 or _recorded(path)
    try:
        found = sha256_of(file or path)
    except OSError as error:
        raise DownloadError(f"{path} can't be read: {error}. Remove it and try again.") from error
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "replaced. If the file exists, remove it to download it again; if a new version is "
            f"expected, remove {path}.sha256 too."
        )
    if expected is None or file is not None:
        with contextlib.suppress(OSError), atomic_file(_record_of(path)) as record:
            record.write_text(found + "\n")  # in a read-only cache nothing is recorded
    return found


def forget(path):
    """Remove a useless download, so that the next one starts from the beginning."""
    for file in (path, _record_of(path)):
        file.unlink(missing_ok=True)


def sha256_of(path):
    """Compute the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_of(path):
    return path.with_name(f"{path.name}.sha256")


def _recorded(path):
    """Return the SHA-256 of the first download; None where there was none."""
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


def _fetch_missing(url, path, sha256, transfer, attempts):
    is_known = sha256 or _recorded(path)
    try:
        with atomic_file(path) as unfinished:
            with open(unfinished, "wb") as file:
                transfer.run(file, path.name, attempts)
            found = verify(path, url, sha256, unfinished)
    except OSError as error:  # of the network and of the disk
        advice = "Try again, or put the file there by other means."
        if error.errno in NO_ROOM:
            advice = "Make room, or set KERAS_HOME to a folder that has it."
        raise DownloadError(
            f"{url} could not be downloaded: {brief(error)}. Its place is {path}. {advice}"
        ) from error
    if not is_known:
        logger.warning("%s has SHA-256 %s: later downloads must have it too", url, found)


class _Transfer:
    """Receives one file in attempts that go on while the server's file is the same."""

    def __init__(self, url, min_bytes, max_bytes):
        self.url = url
        self.min_bytes = min_bytes
        self.max_bytes = max_bytes
        self.version = ""  # what differs for another file at this address
        self.total = None  # bytes, where the server says it

    def run(self, file, name, attempts):
        """Make attempts until `file` is complete; give up after several without progress."""
        furthest = failures = 0
        # The bar is shown on a terminal only.
        with tqdm.tqdm(unit="B", unit_scale=True, desc=name, disable=None) as bar:
            while True:
                try:
                    return self.attempt(file, bar)
                except PASSING as error:
                    cause = error
                # Only beyond the furthest point is it progress: the server may have taken it back.
                if file.tell() >= furthest + BLOCK:
                    furthest, failures = file.tell(), 0
                failures += 1
                if failures == attempts:
                    raise Interrupted(
                        f"{attempts} attempts in a row failed, the last: {cause}"
                    ) from cause
                time.sleep(BACK_OFF * 2 ** (failures - 1))

    def attempt(self, file, bar):
        headers = {"Accept-Encoding": "identity"}
        if file.tell() and self.version:  # If-Range: the rest only of this version
            headers |= {"Range": f"bytes={file.tell()}-", "If-Range": self.version}
        # The response isn't closed where it fails: that would wait for a thread that reads it.
        response = _within(
            "the server does not answer",
            lambda: requests.get(self.url, headers=headers, stream=True, timeout=PATIENCE),
        )
        self.begin(file, response)
        bar.total = self.total
        slow = f"it is slower than {BLOCK} bytes in {PATIENCE} s"
        # Not decoded: a .tar.gz stays compressed even if the server calls that an encoding.
        while block := _within(slow, lambda: response.raw.read(BLOCK, decode_content=False)):
            file.write(block)
            if file.tell() > self.max_bytes:
                raise OSError(f"it has more than the {self.max_bytes} bytes allowed")
            bar.update(file.tell() - bar.n)
        response.close()
        if self.total not in (None, file.tell()):
            raise Interrupted(f"{file.tell()} of {self.total} bytes have come")
        self.check_size(file.tell())

    def begin(self, file, response):
        """Check the head of an answer, and bring `file` to where its body begins."""
        hops = (*response.history, response)
        if self.url.startswith("https:") and any(hop.url.startswith("http:") for hop in hops):
            raise OSError("the server sends to an address without encryption")
        status = response.status_code
        is_rest = status == 206 and self.is_rest(response, file.tell())
        if status in (200, 206, 416) and not is_rest:
            file.seek(0)
            file.truncate()
        if status in TRANSIENT:
            raise Interrupted(f"the server answers {status} {brief(response.reason)}")
        response.raise_for_status()
        if status == 206 and not is_rest:
            raise Interrupted("the server sends another part than the rest of the same file")
        if status != 206:
            self.version, self.total = _version(response), _length(response)
            self.check_size(self.total)

    def is_rest(self, response, begun):
        """Return whether a partial answer is the rest of our file: not all heed If-Range."""
        found = re.fullmatch(
            r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", response.headers.get("Content-Range", "")
        )
        if not found or _version(response) not in (self.version, ""):
            return False
        first, last, total = map(int, found.groups())
        return (first, last) == (begun, total - 1) and self.total in (None, total)

    def check_size(self, size):
        if size is not None and not self.min_bytes <= size <= self.max_bytes:
            raise OSError(f"it has {size} bytes, expected {self.min_bytes} to {self.max_bytes}")


def _within(complaint, read):
    """Call `read()` in a thread, and stop waiting after `PATIENCE`.

    A server that sends a byte now and then never lets a socket's timeout expire. The thread is a
    daemon, so that an evil server doesn't keep the process from ending.
    """
    results = queue.SimpleQueue()

    def run():
        try:
            results.put((read(), None))
        except Exception as error:  # a server can make the libraries raise nearly anything
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        value, error = results.get(timeout=PATIENCE)
    except queue.Empty:
        raise Interrupted(complaint) from None
    if isinstance(error, (OSError, *PASSING)):
        raise error
    if error is not None:
        raise OSError(f"the server's answer can't be read: {brief(error)}") from error
    return value


def _version(response):
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag or response.headers.get("Last-Modified", "")


def _length(response):
    length = response.headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"\d{1,15}", length):
        raise OSError(f"the server declares a length of {shown(length)}")
    return None if length is None else int(length)
