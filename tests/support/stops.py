"""Stops a function at one of its lines, wherever that may be: a kill, or a failure."""

import contextlib
import itertools
import sys


@contextlib.contextmanager
def stop_at(n, files, stop, functions=()):
    """Call `stop` before the `n`-th line, counted from 0, that runs in one of these source files.

    With `functions` only their lines count. Yields a list with one entry once it has been called.
    """
    count, stopped = itertools.count(), []

    def trace(frame, event, argument):
        if frame.f_code.co_filename not in files:
            return None
        if functions and frame.f_code.co_name not in functions:
            return trace
        if event == "line" and not stopped and next(count) == n:
            stopped.append((frame.f_code.co_name, frame.f_lineno))
            stop()
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        yield stopped
    finally:
        sys.settrace(former)
