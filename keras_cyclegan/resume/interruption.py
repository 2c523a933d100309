"""SIGTERM and Ctrl-C as a request to end between two steps."""

import os
import signal
import threading


class Interruption:
    """Notes SIGTERM and Ctrl-C while it is entered, in the main thread; elsewhere it does nothing.

    Only noted, they can't hit the middle of a step or of a file. A Ctrl-C that follows ends the
    process at once.

    Attributes:
        signal: the first `signal.Signals` that came, or None.
    """

    def __init__(self):
        self.signal = None
        self._earlier = {}

    def __enter__(self):
        self.signal = None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._earlier[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        while self._earlier:
            signal.signal(*self._earlier.popitem())

    def leave(self):
        """End as the signal asks: KeyboardInterrupt for Ctrl-C, exit status 143 for SIGTERM."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.signal)

    def _note(self, number, frame):
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = self.signal or signal.Signals(number)
        # Not `print`: the signal may have come in the middle of one.
        os.write(2, b"\nEnding after this step, with a checkpoint. Ctrl-C ends at once.\n")
