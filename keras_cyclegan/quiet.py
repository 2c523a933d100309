"""The import of Keras without the notes that TensorFlow prints to its developers."""

import contextlib
import os
import re
import sys
import tempfile

# "I0000 00:00:1795462818.123149 15524 port.cc:153] oneDNN custom operations are on." and the like;
# in TensorFlow 2.20 also "2026-11-26 02:32:27.921096: I tensorflow/core/util/port.cc:153] …".
NOTE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    rb"|WARNING: All log messages before absl::InitializeLog"
)


def import_keras_quietly():
    """Import Keras and its backend without TensorFlow's notes about oneDNN, CUDA and processors.

    A program calls it before it imports Keras or TensorFlow: afterwards it does nothing.

    Example:

    ```python
    import keras_cyclegan as kcg

    kcg.import_keras_quietly()
    import keras
    ```
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with without_notes():
            import keras  # noqa: F401


@contextlib.contextmanager
def without_notes():
    """Remove TensorFlow's notes from standard error, which is written when the context ends."""
    try:
        sys.stderr.flush()
        stream = os.dup(2)
    except (AttributeError, OSError):  # there is none, as in a program without a console
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not NOTE.match(line)))
