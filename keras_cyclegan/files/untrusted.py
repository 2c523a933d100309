"""What every reader of a stranger's file needs: bounded reads, and messages of one short line."""

import contextlib
import os
import reprlib
import stat

MAX_READ = 2**20  # bytes
MAX_MESSAGE = 300  # characters
MAX_NAMED = 8  # items of a listing
MAX_ITEM = 120  # characters of each

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


def shown(value):
    """Return a short `repr` of `value`, however long or deep it is."""
    return _short.repr(value)


def brief(text, longest=MAX_MESSAGE):
    """Return the beginning of `text` in one line of printable characters."""
    text = printable(" ".join(str(text)[: 2 * longest].split()))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def printable(text):
    """Return text in one line: what isn't printable, or isn't UTF-8, is shown escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def named(name, error):
    """Return an error's text in one line, which begins with the name that it lacks."""
    text = printable(error)
    return text if name in text else f"{name}: {text}"


def listing(items, separator=", "):
    """Join the first items to one text, with the number of all if there are more."""
    more = f"{separator}… ({len(items)} in all)" if len(items) > MAX_NAMED else ""
    return separator.join(brief(item, MAX_ITEM) for item in items[:MAX_NAMED]) + more


def check_regular(path):
    """Raise a ValueError for a pipe, a socket or a device: to open or to read it may never end."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(
            f"Can't read {os.fspath(path)}: expected a file, but it is a pipe or a device, which "
            "may never end. Write its content to a file first."
        )


@contextlib.contextmanager
def reading(name, kind):
    """Name the file in the error of a library, which fails in dozens of ways on damaged bytes."""
    try:
        yield
    except (ImportError, FileNotFoundError, MemoryError):
        raise
    except Exception as error:
        said = f"{brief(error)} ({type(error).__name__})"
        raise ValueError(f"Can't read {printable(name)} as {kind}: {said}.") from error


class BoundedReads:
    """A file read by a megabyte at a time at most: `zipfile` trusts headers."""

    def __init__(self, file):
        self.file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, count=None):
        block = self.file.read(min(MAX_READ + 1 if count is None else count, MAX_READ + 1))
        if len(block) > MAX_READ:
            raise ValueError(f"a header of it has more than the {MAX_READ} bytes allowed")
        return block
