"""What a web server sends, received by a thread, so that nobody waits for it longer than he likes.

A server that sends a byte now and then keeps every timeout of a socket from ending: while headers,
chunk sizes or a handshake drip, the reader is inside of a library. The thread that reads may wait;
who takes what it received doesn't.
"""

import contextlib
import queue
import threading
import time

import requests

TIMEOUT = (10, 30)  # seconds to connect; seconds without a byte
BLOCK = 2**16
MOST_WAITING = 16  # blocks that are received before the first is taken


class Arrivals:
    """Takes what arrives: first the `requests.Response` without its body, then blocks of that."""

    def __init__(self, over):
        self.waiting = queue.Queue(MOST_WAITING)
        self.over = over

    def take(self, until):
        """The next that arrives: the response, then bytes, at the end `b""`.

        Raises:
            TimeoutError: nothing has come at `until` on `time.monotonic`'s clock.
            Exception: whatever the thread met.
        """
        try:
            arrived = self.waiting.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError("nothing has come") from None
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    def put(self, arrived):
        """Give the next to who takes it; False if nobody does any more."""
        while not self.over.is_set():
            with contextlib.suppress(queue.Full):
                self.waiting.put(arrived, timeout=0.1)
                return True
        return False


@contextlib.contextmanager
def arrivals(url, headers):
    """What a GET of `url` brings, as `Arrivals`."""
    over = threading.Event()
    received = Arrivals(over)
    # A thread that hangs on an evil server must not keep the process from its end.
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
            # As the server sends it: a .tar.gz stays one even if it is called an encoding.
            while alive and (block := response.raw.read1(BLOCK, decode_content=False)):
                alive = received.put(block)
        received.put(b"")
    except Exception as error:  # a server can make the libraries raise nearly anything
        received.put(error)
