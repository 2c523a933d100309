"""Files from the web: whole, checked, and never downloaded twice."""

import contextlib
import hashlib
import os
import re
import shutil
import time
from pathlib import Path

import filelock
import requests
import tqdm
import urllib3

from keras_cyclegan.files.atomic import whole_file

ATTEMPTS = 6
BACK_OFF = 0.5  # seconds, doubled at each of them
TIMEOUT = (10, 30)  # seconds to connect; seconds without a byte, or with fewer than
SLOWEST = 2**15  # bytes
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
BLOCK = 2**16
LARGEST = 4 * 2**30  # bytes


class DownloadError(RuntimeError):
    """A file could not be had; the message says why, from where, and where it should lie."""


class _Refused(OSError):
    """What the server sends can't be the file."""


class _Interrupted(OSError):
    """An attempt that failed and may succeed when repeated."""


PASSING = (
    _Interrupted,
    requests.ConnectionError,
    requests.Timeout,
    urllib3.exceptions.HTTPError,  # while the body is read
)


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
    processes don't download at the same time. The file takes its name only when it is whole.

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
    """
    path = Path(path)
    # A file that is there is whole, and may lie in a cache that nobody may write to.
    if not path.exists():
        if is_offline():
            raise DownloadError(
                f"Offline mode is on, and {path} is not there. Download {url} to it on a machine "
                "with a network, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
            )
        with alone(path):
            if not path.exists():  # another process may have been here before
                _fetch_missing(url, path, sha256, least, most, attempts)
    verify(path, url, sha256)
    return path


@contextlib.contextmanager
def alone(path):
    """Lets one process at a time make `path`, for which it makes the folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(_beside(path, ".lock"))
        lock.acquire()
    except OSError as error:
        raise DownloadError(
            f"{path} can't be made: {error}. Set KERAS_HOME to a folder that can be written to."
        ) from error
    try:
        yield
    finally:
        lock.release()


def verify(path, source, sha256=None):
    """Refuse a file whose SHA-256 is not `sha256`, or else the recorded one; record the first."""
    record = _beside(path, ".sha256")
    if sha256 is None and not record.exists():
        with contextlib.suppress(OSError):  # a cache that can't be written to holds no records
            _record(path, sha256_of(path))
    else:
        _check_hash(path, source, sha256 or record.read_text().strip())


def forget(path):
    """Remove a download that turned out to be useless, so that the next one starts afresh."""
    for file in (path, _beside(path, ".sha256")):
        file.unlink(missing_ok=True)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_missing(url, path, sha256, least, most, attempts):
    part, record = _beside(path, ".part"), _beside(path, ".sha256")
    try:
        _download(url, part, least, most, attempts)
        expected = sha256 or (record.read_text().strip() if record.exists() else None)
        _record(path, _check_hash(part, url, expected))
    except DownloadError:
        _discard(part)
        raise
    except OSError as error:  # of the network and of the disk
        if isinstance(error, _Refused):
            _discard(part)
        raise DownloadError(
            f"{url} could not be downloaded: {error}. It is to lie at {path}. Try again, put it "
            "there by other means, or set KERAS_HOME to a folder with room."
        ) from error
    os.replace(part, path)
    _discard(part)


def _check_hash(path, source, expected):
    found = sha256_of(path)
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "exchanged. If the file is there, remove it to download it anew; if its origin was "
            f"meant to change, remove {path}.sha256 too."
        )
    return found


def _record(path, sha256):
    with whole_file(_beside(path, ".sha256")) as unfinished:
        unfinished.write_text(sha256 + "\n")


def _download(url, part, least, most, attempts):
    """Attempts until the file is whole; those that bring next to nothing are counted."""
    failures = 0
    with requests.Session() as session:
        while True:
            begun = _size(part)
            try:
                return _attempt(session, url, part, least, most)
            except PASSING as error:
                cause = error
            failures = 0 if _size(part) >= begun + SLOWEST else failures + 1
            if failures == attempts:
                raise _Interrupted(f"{attempts} attempts in a row failed, the last: {cause}")
            time.sleep(BACK_OFF * 2**failures)


def _attempt(session, url, part, least, most):
    headers = {"Accept-Encoding": "identity"}
    begun, note = _size(part), _version_of(part)
    version = note.read_text() if begun and note.exists() else ""
    if version:  # the server sends the rest only if its file is still this version
        headers |= {"Range": f"bytes={begun}-", "If-Range": version}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status = response.status_code
        if url.startswith("https:") and _was_readable(response):
            raise _Refused("the server sends to an address without encryption")
        if status in TRANSIENT:
            raise _Interrupted(f"the server answers {status} {response.reason}")
        if status == 416 or (status == 206 and not _continues(response, begun, version)):
            part.unlink(missing_ok=True)
            raise _Interrupted("the server can't send the rest of the file")
        response.raise_for_status()
        begun, total = (begun, _range(response)[1]) if status == 206 else (0, _length(response))
        _check_size(total, least, most)
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - begun > free:
            raise _Refused(f"it has {total} bytes, and {part.parent} has room for {free}")
        note.write_text(_version(response))
        _write(response.raw, part, begun, total, most)
    if total is not None and _size(part) != total:
        raise _Interrupted(f"{_size(part)} of {total} bytes have come")
    _check_size(_size(part), least, most)


def _was_readable(response):
    return any(hop.url.startswith("http:") for hop in (*response.history, response))


def _continues(response, begun, version):
    """Whether a partial response is the rest of what came before; not all servers heed If-Range."""
    return _range(response)[0] == begun and _version(response) in (version, "")


def _range(response):
    """First byte and size of the whole file, of a partial response; None for what it hides."""
    pattern = r"bytes (\d+)-\d+/(\d+)"
    found = re.fullmatch(pattern, response.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else (None, None)


def _length(response):
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _version(response):
    """What tells a file from a later one at the same address."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag or response.headers.get("Last-Modified", "")


def _write(stream, part, begun, total, most):
    with (
        open(part, "ab" if begun else "wb") as file,
        tqdm.tqdm(
            total=total,
            initial=begun,
            unit="B",
            unit_scale=True,
            desc=os.path.basename(part.name).removesuffix(".part"),
            disable=None,  # unless a terminal looks on
        ) as bar,
    ):
        until, due = time.monotonic() + TIMEOUT[1], begun + SLOWEST
        # As the server sends it: a .tar.gz stays one even if it is called an encoding.
        while block := stream.read1(BLOCK, decode_content=False):
            begun += len(block)
            if begun > most:
                raise _Refused(f"it has more than the {most} bytes allowed")
            file.write(block)
            bar.update(len(block))
            if time.monotonic() > until:
                if begun < due:
                    raise _Interrupted(f"it is slower than {SLOWEST} bytes in {TIMEOUT[1]} s")
                until, due = time.monotonic() + TIMEOUT[1], begun + SLOWEST


def _check_size(size, least, most):
    if size is not None and not least <= size <= most:
        raise _Refused(f"it has {size} bytes, expected {least} to {most}")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _discard(part):
    for file in (part, _version_of(part)):
        file.unlink(missing_ok=True)


def _version_of(part):
    return _beside(part, ".version")


def _beside(path, suffix):
    return path.with_name(path.name + suffix)
