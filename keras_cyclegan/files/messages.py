"""What a stranger's file says, made fit for an error message: one line, and short."""

import reprlib

LONGEST = 300  # characters

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


def shown(value):
    """The `repr` of `value`, however long or deep it is."""
    return _short.repr(value)


def brief(text, longest=LONGEST):
    """The beginning of `text`, in one line of what can be printed."""
    text = " ".join(str(text)[: 2 * longest].split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
