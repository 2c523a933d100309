"""The import of Keras without the notes that TensorFlow prints to its developers."""

import contextlib
import os
import sys


def import_keras_quietly():
    """Import Keras and its backend without TensorFlow's notes about oneDNN, CUDA and processors.

    A program calls it before it imports Keras or TensorFlow: afterwards it does nothing.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _silence():
            import keras  # noqa: F401


@contextlib.contextmanager
def _silence():
    """Drop what is written to standard error, by C++ too."""
    try:
        sys.stderr.flush()
        stream = os.dup(2)
    except (AttributeError, OSError):  # there is none, as in a program without a console
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stream, 2)
        os.close(stream)
