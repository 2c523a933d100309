"""Files from the web: whole, checked, and never downloaded twice."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import filelock
import requests
import tqdm

from keras_cyclegan.whole import whole_file

ATTEMPTS = 6
BACK_OFF = 0.5  # seconds, doubled at each of them
TIMEOUT = (10, 30)  # seconds to connect; seconds without a byte
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
BLOCK = 2**16
LARGEST = 4 * 2**30  # bytes


class DownloadError(RuntimeError):
    """A file could not be had; the message says why, from where, and where it should lie."""


class _Refused(Exception):
    """What the server sends can't be the file."""


class _Interrupted(Exception):
    """An attempt that failed and may succeed when repeated."""


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
        attempts: int. Attempts in a row that may bring no byte before it is given up.

    Returns:
        `path`, as a `pathlib.Path`.

    Raises:
        DownloadError: the network is off or fails, or the file isn't what it should be.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    record, part = _beside(path, ".sha256"), _beside(path, ".part")
    with filelock.FileLock(_beside(path, ".lock")):
        expected = sha256 or (record.read_text().strip() if record.exists() else None)
        if path.exists():
            verify(path, expected, url)
            return path
        if is_offline():
            raise DownloadError(
                f"Offline mode is on, and {path} is not there. Download {url} to it on a machine "
                "with a network, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
            )
        try:
            _download(url, part, least, most, attempts)
        except (_Interrupted, _Refused, requests.RequestException) as error:
            if isinstance(error, _Refused):
                part.unlink(missing_ok=True)
            raise DownloadError(
                f"{url} could not be downloaded: {error}. It is to lie at {path}. Try again, or "
                "put it there by other means."
            ) from error
        try:
            verify(part, expected, url)
        except DownloadError:
            part.unlink()
            raise
        record_hash(part, record)
        os.replace(part, path)
        _beside(part, ".json").unlink(missing_ok=True)
    return path


def verify(path, expected, source):
    """Refuse a file whose SHA-256 doesn't begin with `expected`; None passes."""
    found = sha256_of(path)
    if expected is not None and not found.startswith(expected.lower()):
        raise DownloadError(
            f"{path} from {source} has SHA-256 {found}, expected {expected}. It was damaged or "
            "exchanged. If the file is there, remove it to download it anew; if its origin was "
            f"meant to change, remove {path}.sha256 too."
        )


def record_hash(path, record):
    """Write the SHA-256 of `path` to the file `record`."""
    with whole_file(record) as unfinished:
        unfinished.write_text(sha256_of(path) + "\n")


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url, part, least, most, attempts):
    """Attempts until the file is whole; only attempts that bring nothing count."""
    failures = 0
    with requests.Session() as session:
        while True:
            begun = _size(part)
            try:
                return _attempt(session, url, part, least, most)
            except (_Interrupted, requests.ConnectionError, requests.Timeout) as error:
                cause = error
            except requests.exceptions.ChunkedEncodingError as error:  # the connection was cut
                cause = error
            failures = 0 if _size(part) > begun else failures + 1
            if failures == attempts:
                raise _Interrupted(f"{attempts} attempts in a row failed, the last: {cause}")
            time.sleep(BACK_OFF * 2**failures)


def _attempt(session, url, part, least, most):
    headers = {"Accept-Encoding": "identity"}
    begun, notes = _size(part), _beside(part, ".json")
    version = json.loads(notes.read_text())["version"] if begun and notes.exists() else None
    if version:  # the server sends the rest only if its file is still this version
        headers |= {"Range": f"bytes={begun}-", "If-Range": version}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status = response.status_code
        if status in TRANSIENT:
            raise _Interrupted(f"the server answers {status} {response.reason}")
        begins = f"bytes {begun}-"
        if status == 416 or (
            status == 206 and not response.headers.get("Content-Range", "").startswith(begins)
        ):
            part.unlink()
            raise _Interrupted("the server can't send the rest of the file")
        response.raise_for_status()
        begun = begun if status == 206 else 0
        length = response.headers.get("Content-Length", "")
        total = begun + int(length) if length.isdigit() else None
        _check_size(total, least, most)
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - begun > free:
            raise _Refused(f"it has {total} bytes, and {part.parent} has room for {free}")
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        notes.write_text(json.dumps({"version": "" if version.startswith("W/") else version}))
        _write(response, part, begun, total, most)
    if total is not None and _size(part) != total:
        raise _Interrupted(f"{_size(part)} of {total} bytes have come")
    _check_size(_size(part), least, most)


def _write(response, part, begun, total, most):
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
        for block in response.iter_content(BLOCK):
            begun += len(block)
            if begun > most:
                raise _Refused(f"it has more than the {most} bytes allowed")
            file.write(block)
            bar.update(len(block))


def _check_size(size, least, most):
    if size is not None and not least <= size <= most:
        raise _Refused(f"it has {size} bytes, expected {least} to {most}")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _beside(path, suffix):
    return path.with_name(path.name + suffix)
