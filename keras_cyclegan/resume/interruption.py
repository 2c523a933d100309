"""SIGTERM and Ctrl-C as requests to end after the current step."""

import os
import signal
import threading


class Interruption:
    """A context in which SIGTERM and Ctrl-C are only recorded, so that they interrupt no step.

    A second Ctrl-C ends the process at once. In another thread than the main one it does nothing.

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
        """Raise what the signal stands for: KeyboardInterrupt, or exit status 143 for SIGTERM."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.signal)

    def _note(self, number, frame):
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = self.signal or signal.Signals(number)
        # Not `print`, which the signal may have interrupted.
        os.write(2, b"\nEnding after this step, with a checkpoint. Ctrl-C ends at once.\n")
