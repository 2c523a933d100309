"""Decides where layers compute in a way that is faster on TensorFlow, with the same result.

The faster ways were measured on processors with oneDNN, and are taken where there is no GPU: in
training, when this process translates, and in exported graphs, where LiteRT, ONNX Runtime and
TensorFlow Serving gain from them too.
"""

import contextlib
import contextvars
import functools

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


def takes_fast_path(training):
    """Return whether a layer should take its fast way.

    Args:
        training: bool or None, the layer's argument.
    """
    return (bool(training) or _wanted.get()) and _tensorflow_computes_on_the_processor()


@functools.cache
def _tensorflow_computes_on_the_processor():
    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
