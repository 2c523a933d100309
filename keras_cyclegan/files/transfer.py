"""One file over HTTP: attempts that go on where the last was cut, and what a server may answer."""

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
BACK_OFF = 0.5  # seconds, doubled at each of them
SLOWEST = 2**15  # bytes that must come in each of
PATIENCE = 30  # seconds
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Refused(OSError):
    """What the server sends can't be the file."""


class NoRoom(Refused):
    """The disk can't hold the file."""


class Interrupted(OSError):
    """An attempt that failed and may succeed when repeated."""


PASSING = (
    Interrupted,
    requests.ConnectionError,
    requests.Timeout,
    urllib3.exceptions.HTTPError,  # while the body is read
)


def transfer(url, part, least, most, attempts=ATTEMPTS):
    """Makes attempts until the file is whole, and gives up after some that brought nothing.

    Args:
        url: where from.
        part: path of what has come, `pathlib.Path`. Beside it lies a note of the file's version.
        least, most: ints. Bytes that the file may have.
        attempts: int.

    Raises:
        Refused: what the server sends can't be the file.
        OSError: the network, the server or the disk failed. What has come stays.
    """
    policy = retries = urllib3.Retry(total=attempts - 1, backoff_factor=BACK_OFF)
    furthest = _size(part)
    while True:
        try:
            return _attempt(url, part, least, most)
        except PASSING as error:
            cause = error
        # What was sent and then disowned, to be sent again, brings nobody further.
        if _size(part) >= furthest + SLOWEST:
            furthest, retries = _size(part), policy
        try:
            retries = retries.increment("GET", url, error=Interrupted(cause))
        except urllib3.exceptions.MaxRetryError:
            raise Interrupted(f"{attempts} attempts in a row failed, the last: {cause}") from cause
        retries.sleep()


def _attempt(url, part, least, most):
    headers = {"Accept-Encoding": "identity"}
    begun, (version, known_total) = _size(part), _read_note(part)
    if begun and version:  # the server sends the rest only if its file is still this version
        headers |= {"Range": f"bytes={begun}-", "If-Range": version}
    with arrivals(url, headers) as received:
        response = _taken(received, time.monotonic() + PATIENCE, "the server does not answer")
        status = response.status_code
        if url.startswith("https:") and _was_readable(response):
            raise Refused("the server sends to an address without encryption")
        if status in TRANSIENT:
            raise Interrupted(f"the server answers {status} {brief(response.reason)}")
        if status == 416:
            discard(part)
            raise Interrupted("the server can't send the rest of the file")
        response.raise_for_status()
        total = _length(response)
        if status == 206:
            total = _continued(response, part, begun, version, known_total)
        else:
            begun = 0
        _check_size(total, least, most)
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - begun > free:
            raise NoRoom(f"it has {total} bytes, and {part.parent} has room for {free}")
        _note_of(part).write_text(f"{_version(response)}\n{total or ''}\n")
        _write(received, part, begun, total, most)
    if total is not None and _size(part) != total:
        raise Interrupted(f"{_size(part)} of {total} bytes have come")
    _check_size(_size(part), least, most)


def _taken(received, until, complaint):
    try:
        return received.take(until)
    except TimeoutError as error:
        raise Interrupted(complaint) from error
    except (OSError, *PASSING):
        raise
    except Exception as error:  # what the libraries make of a server's nonsense
        raise Refused(f"the server's answer can't be read: {brief(error)}") from error


def _was_readable(response):
    return any(hop.url.startswith("http:") for hop in (*response.history, response))


def _continued(response, part, begun, version, known_total):
    """The size of the whole file whose rest a partial response is; not all servers heed If-Range.

    Raises:
        Interrupted: it is the rest of something else. What had come is thrown away.
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
    discard(part)
    raise Interrupted(complaint)


def _length(response):
    length = response.headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"\d{1,15}", length):
        raise Refused(f"the server declares a length of {shown(length)}")
    return None if length is None else int(length)


def _read_note(part):
    """Version and size of the file that `part` is the beginning of; "" and None if unknown."""
    try:
        version, total, *_ = [*_note_of(part).read_text(errors="replace").split("\n"), "", ""]
    except FileNotFoundError:
        return "", None
    is_header = version.isascii() and version.isprintable()
    return version if is_header else "", int(total) if re.fullmatch(r"\d{1,15}", total) else None


def _version(response):
    """What tells a file from a later one at the same address."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag or response.headers.get("Last-Modified", "")


def _write(received, part, begun, total, most):
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


def discard(part):
    """Remove what has come of a file, and its note."""
    for file in (part, _note_of(part)):
        file.unlink(missing_ok=True)


def _note_of(part):
    return part.with_name(part.name + ".version")
