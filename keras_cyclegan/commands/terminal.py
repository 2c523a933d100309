"""What the commands keep out of the terminal."""

import contextlib
import os
import re
import sys
import tempfile

# "I0000 00:00:1795462818.123149 15524 port.cc:153] oneDNN custom operations are on." and the like.
NOTE = re.compile(rb"[IW]\d{4} \d\d:\d\d:|WARNING: All log messages before absl::InitializeLog")


@contextlib.contextmanager
def without_notes():
    """Takes TensorFlow's notes to its developers out of what is written to standard error.

    Its libraries write them while they are loaded, before any log level is heeded. All other lines
    are written when this ends.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        stream = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not NOTE.match(line)))
