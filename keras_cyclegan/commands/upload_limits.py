"""Limits the time and the number of uploads to the demo."""

import asyncio
import time

SECONDS_WITHOUT_A_BYTE = 30.0
SECONDS_IN_ALL = 300.0
MOST_AT_ONCE = 64


class _TooSlow(Exception):
    pass


class UploadLimits:
    """An ASGI application that ends requests whose bodies come too slowly or not completely.

    The server that gradio starts waits for a body for ever, keeps what has come of it, and prints
    fifty lines for each sender that disconnects.

    Args:
        app: the ASGI application that gets the requests.
        pause: float, 30 by default. Most seconds between two parts of a body.
        whole: float, 300 by default. Most seconds for a whole body.
        at_once: int, 64 by default. Most bodies that are being received at the same time.
    """

    def __init__(
        self, app, pause=SECONDS_WITHOUT_A_BYTE, whole=SECONDS_IN_ALL, at_once=MOST_AT_ONCE
    ):
        self.app = app
        self.pause = pause
        self.whole = whole
        self.at_once = at_once
        self.under_way = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        if self.under_way >= self.at_once:
            return await _answer(send, 503, "Too much is being uploaded. Try again in a minute.")
        body = _Body(receive, self.pause, self.whole, self._done)
        self.under_way += 1
        answering = False

        async def send_on(message):
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.app(scope, body.receive, send_on)
        except Exception:
            if body.is_whole or answering:
                raise
            if not body.is_abandoned:
                await _answer(send, 408, "The upload took too long.")
        finally:
            body.end()

    def _done(self):
        self.under_way -= 1


class _Body:
    """One request's body, by the messages of its server."""

    def __init__(self, receive, pause, whole, when_done):
        self.next = receive
        self.pause = pause
        self.until = time.monotonic() + whole
        self.when_done = when_done
        self.is_whole = self.is_abandoned = False

    async def receive(self):
        if self.when_done is None:  # after the body: waits until the browser disconnects
            return await self.next()
        patience = min(self.pause, self.until - time.monotonic())
        try:
            message = await asyncio.wait_for(self.next(), max(patience, 0))
        except TimeoutError as error:
            raise _TooSlow from error
        self.is_abandoned = message["type"] == "http.disconnect"
        if self.is_abandoned or not message.get("more_body", False):
            self.is_whole = not self.is_abandoned
            self.end()
        return message

    def end(self):
        """Report once that the body has ended."""
        when_done, self.when_done = self.when_done, None
        if when_done is not None:
            when_done()


async def _answer(send, status, text):
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
