"""Decides where layers compute in a way that is faster on TensorFlow, with the same result.

The faster ways were measured on processors with oneDNN. They are taken in training and when this
process translates, but not in exported graphs, which other runtimes optimise themselves.
"""

import contextlib
import contextvars

import keras

_wanted = contextvars.ContextVar("wanted", default=False)
_even = contextvars.ContextVar("even", default=False)


@contextlib.contextmanager
def fast_paths(even=False):
    """Let layers take their fast ways outside of training too, while they are called or traced.

    Args:
        even: bool, False by default. Whether images of unknown size have even sides.
    """
    wanted, was_even = _wanted.set(True), _even.set(even)
    try:
        yield
    finally:
        _wanted.reset(wanted)
        _even.reset(was_even)


def unknown_sizes_are_even():
    """Return the `even` of `fast_paths`."""
    return _even.get()


def pays(training):
    """Return whether a layer should take its fast way.

    Args:
        training: bool or None, the layer's argument.
    """
    return keras.backend.backend() == "tensorflow" and (bool(training) or _wanted.get())
