"""Receives what a web server sends in a thread, so that the caller can stop waiting at any time.

A server that sends a single byte now and then never lets a socket's timeout expire: while headers,
chunk sizes or a handshake arrive so slowly, the reader is inside of a library. So a thread reads,
which may wait as long as it must, and the caller takes what it has received.
"""

import contextlib
import queue
import threading
import time

import requests

TIMEOUT = (10, 30)  # seconds to connect; seconds without a byte
BLOCK = 2**16
MOST_WAITING = 16  # blocks that are kept until the caller takes them


class Arrivals:
    """A queue of what arrives: the `requests.Response` without its body, then the body's blocks."""

    def __init__(self, over):
        self.waiting = queue.Queue(MOST_WAITING)
        self.over = over

    def take(self, until):
        """Wait for the next item: the response, then blocks of bytes, at the end `b""`.

        Raises:
            TimeoutError: nothing has come before `until`, a time of `time.monotonic`.
            Exception: any error that the thread met.
        """
        try:
            arrived = self.waiting.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError("nothing has come") from None
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    def put(self, arrived):
        """Add an item; return False if the caller has stopped waiting."""
        while not self.over.is_set():
            with contextlib.suppress(queue.Full):
                self.waiting.put(arrived, timeout=0.1)
                return True
        return False


@contextlib.contextmanager
def arrivals(url, headers):
    """Send a GET for `url`; enter with the `Arrivals` that it brings."""
    over = threading.Event()
    received = Arrivals(over)
    # A daemon: a thread that hangs on an evil server must not keep the process from ending.
    thread = threading.Thread(target=_receive, args=(url, headers, received), daemon=True)
    thread.start()
    try:
        yield received
    finally:
        over.set()


def _receive(url, headers, received):
    try:
        with (
            requests.Session() as session,
            session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response,
        ):
            alive = received.put(response)
            # Not decoded: a .tar.gz stays compressed even if the server calls that an encoding.
            while alive and (block := response.raw.read1(BLOCK, decode_content=False)):
                alive = received.put(block)
        received.put(b"")
    except Exception as error:  # a server can make the libraries raise nearly anything
        received.put(error)
