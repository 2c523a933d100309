"""Downloads one file over HTTP, in attempts that each continue where the last one stopped."""

import os
import re
import shutil
import time

import requests
import tqdm
import urllib3

from keras_cyclegan.files.arrivals import arrivals
from keras_cyclegan.files.messages import brief, shown

ATTEMPTS = 6
BACK_OFF = 0.5  # seconds of waiting after a failed attempt, doubled each time
SLOWEST = 2**15  # bytes that must come in each period of
PATIENCE = 30  # seconds
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Refused(OSError):
    """Raised when what the server sends can't be the file."""


class NoRoom(Refused):
    """The disk can't hold the file."""


class Interrupted(OSError):
    """Raised when an attempt failed that may succeed when it is repeated."""


PASSING = (
    Interrupted,
    requests.ConnectionError,
    requests.Timeout,
    urllib3.exceptions.HTTPError,  # while the body is read
)


def transfer(url, unfinished, least, most, attempts=ATTEMPTS):
    """Make attempts until the file is complete; give up after several without progress.

    Args:
        url: str. Address of the file.
        unfinished: `pathlib.Path` for the file until it is complete. A note of its version is
            beside it.
        least, most: ints. Smallest and largest number of bytes of the file.
        attempts: int, 6 by default. Attempts in a row without progress before it gives up.

    Raises:
        Refused: what the server sends can't be the file.
        OSError: the network, the server or the disk failed. The unfinished file stays.
    """
    policy = retries = urllib3.Retry(total=attempts - 1, backoff_factor=BACK_OFF)
    furthest = _size(unfinished)
    while True:
        try:
            return _attempt(url, unfinished, least, most)
        except PASSING as error:
            cause = error
        # Progress only counts beyond the furthest point, which the server may have taken back.
        if _size(unfinished) >= furthest + SLOWEST:
            furthest, retries = _size(unfinished), policy
        try:
            retries = retries.increment("GET", url, error=Interrupted(cause))
        except urllib3.exceptions.MaxRetryError:
            raise Interrupted(f"{attempts} attempts in a row failed, the last: {cause}") from cause
        retries.sleep()


def _attempt(url, unfinished, least, most):
    headers = {"Accept-Encoding": "identity"}
    begun, (version, known_total) = _size(unfinished), _read_note(unfinished)
    if begun and version:  # If-Range: the server sends the rest only of this version
        headers |= {"Range": f"bytes={begun}-", "If-Range": version}
    with arrivals(url, headers) as received:
        response = _taken(received, time.monotonic() + PATIENCE, "the server does not answer")
        status = response.status_code
        if url.startswith("https:") and _was_unencrypted(response):
            raise Refused("the server sends to an address without encryption")
        if status in TRANSIENT:
            raise Interrupted(f"the server answers {status} {brief(response.reason)}")
        if status == 416:
            discard(unfinished)
            raise Interrupted("the server can't send the rest of the file")
        response.raise_for_status()
        total = _length(response)
        if status == 206:
            total = _continued(response, unfinished, begun, version, known_total)
        else:
            begun = 0
        _check_size(total, least, most)
        free = shutil.disk_usage(unfinished.parent).free
        if total is not None and total - begun > free:
            raise NoRoom(f"it has {total} bytes, and {unfinished.parent} has room for {free}")
        _note_of(unfinished).write_text(f"{_version(response)}\n{total or ''}\n")
        _write(received, unfinished, begun, total, most)
    if total is not None and _size(unfinished) != total:
        raise Interrupted(f"{_size(unfinished)} of {total} bytes have come")
    _check_size(_size(unfinished), least, most)


def _taken(received, until, complaint):
    try:
        return received.take(until)
    except TimeoutError as error:
        raise Interrupted(complaint) from error
    except (OSError, *PASSING):
        raise
    except Exception as error:  # of the libraries, for a server's nonsense
        raise Refused(f"the server's answer can't be read: {brief(error)}") from error


def _was_unencrypted(response):
    return any(hop.url.startswith("http:") for hop in (*response.history, response))


def _continued(response, unfinished, begun, version, known_total):
    """Check that a partial response is the rest of our file; return the whole file's size.

    Not all servers respect If-Range.

    Raises:
        Interrupted: it is the rest of another file. The unfinished file is removed.
    """
    pattern = r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})"
    found = re.fullmatch(pattern, response.headers.get("Content-Range", ""))
    begin, end, total = map(int, found.groups()) if found else (None, None, None)
    if begin != begun or end != total - 1:
        complaint = "the server sends another part of the file than the one asked for"
    elif _version(response) not in (version, ""):
        complaint = "the server's file changed between two attempts"
    elif known_total not in (None, total):
        complaint = f"the server's file had {known_total} bytes and now has {total}"
    else:
        return total
    discard(unfinished)
    raise Interrupted(complaint)


def _length(response):
    length = response.headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"\d{1,15}", length):
        raise Refused(f"the server declares a length of {shown(length)}")
    return None if length is None else int(length)


def _read_note(unfinished):
    """Return version and size of the file that `unfinished` begins; "" and None if unknown."""
    try:
        note = _note_of(unfinished).read_text(errors="replace")
    except FileNotFoundError:
        return "", None
    version, total, *_ = [*note.split("\n"), "", ""]
    is_header = version.isascii() and version.isprintable()
    return version if is_header else "", int(total) if re.fullmatch(r"\d{1,15}", total) else None


def _version(response):
    """Return what differs for a later version of the file at the same address."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag or response.headers.get("Last-Modified", "")


def _write(received, unfinished, begun, total, most):
    with (
        open(unfinished, "ab" if begun else "wb") as file,
        tqdm.tqdm(
            total=total,
            initial=begun,
            unit="B",
            unit_scale=True,
            desc=os.path.basename(unfinished.name).removesuffix(".part"),
            disable=None,  # shows the bar on a terminal only
        ) as bar,
    ):
        until, due = time.monotonic() + PATIENCE, begun + SLOWEST
        slow = f"it is slower than {SLOWEST} bytes in {PATIENCE} s"
        while block := _taken(received, until, slow):
            begun += len(block)
            if begun > most:
                raise Refused(f"it has more than the {most} bytes allowed")
            file.write(block)
            bar.update(len(block))
            if time.monotonic() > until:
                if begun < due:
                    raise Interrupted(slow)
                until, due = time.monotonic() + PATIENCE, begun + SLOWEST


def _check_size(size, least, most):
    if size is not None and not least <= size <= most:
        raise Refused(f"it has {size} bytes, expected {least} to {most}")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def discard(unfinished):
    """Remove an unfinished file and its note."""
    for file in (unfinished, _note_of(unfinished)):
        file.unlink(missing_ok=True)


def _note_of(unfinished):
    return unfinished.with_name(unfinished.name + ".version")
