"""Where layers may take a way that is faster on TensorFlow, with the same result.

Such ways were measured on processors with oneDNN. They are taken in training and in this process's
own translation, and not in a graph that is exported, which other runtimes make fast by themselves.
"""

import contextlib
import contextvars

import keras

_wanted = contextvars.ContextVar("wanted", default=False)
_even = contextvars.ContextVar("even", default=False)


@contextlib.contextmanager
def fast_paths(even=False):
    """Let layers take their fast ways in inference too, as they are called or traced.

    Args:
        even: bool. Whether images of unknown size have an even height and width.
    """
    wanted, was_even = _wanted.set(True), _even.set(even)
    try:
        yield
    finally:
        _wanted.reset(wanted)
        _even.reset(was_even)


def unknown_sizes_are_even():
    """Return whether `fast_paths` was told so."""
    return _even.get()


def pays(training):
    """Return whether a layer is to take its fast way.

    Args:
        training: bool or None, as a layer is given it.
    """
    return keras.backend.backend() == "tensorflow" and (bool(training) or _wanted.get())
