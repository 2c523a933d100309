"""Shortens text from a stranger's file to one short line for an error message."""

import reprlib

LONGEST = 300  # characters

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


def shown(value):
    """Return a short `repr` of `value`, however long or deep it is."""
    return _short.repr(value)


def brief(text, longest=LONGEST):
    """Return the beginning of `text` in one line of printable characters."""
    text = " ".join(str(text)[: 2 * longest].split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def printable(text):
    """Return text in one line: what isn't printable, or isn't UTF-8, is shown escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))
