"""What the demo's server refuses: requests of other origins, and bodies that don't come."""

import asyncio
import ipaddress
import time
import urllib.parse


class OwnOrigin:
    """An ASGI application that only answers requests of its own pages.

    Any web page can make a browser send requests to this machine. Requests from another origin are
    refused, and so are those for an unknown host name: if the name of a page is changed to this
    address after the page was loaded (DNS rebinding), the browser takes both for one origin.
    `names` are host names of this machine; IP addresses are always allowed.
    """

    def __init__(self, app, names=("localhost",)):
        self.app = app
        self.names = {name.lower() for name in names}

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):  # the start and the end of the server
            return await self.app(scope, receive, send)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self.refusal(headers.get(b"host", ""), headers.get(b"origin"))
        if refusal is None:
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await _answer(send, 403, refusal)

    def refusal(self, host, origin=None):
        """Return why a request with these headers `Host` and `Origin` is refused, or None."""
        if not self._is_known(host):
            return "This demo doesn't know that host name. Start it with --allowed-host NAME."
        if origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower():
            return "This demo only answers requests of its own page."
        return None

    def _is_known(self, host):
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""  # without its port
            return name in self.names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class UploadLimits:
    """An ASGI application that ends requests whose bodies come too slowly or not completely.

    The server that gradio starts waits for a body for ever, keeps what has come of it, and prints
    fifty lines for each sender that disconnects.

    Args:
        app: the ASGI application that gets the requests.
        pause: float, 30 by default. Most seconds between two parts of a body.
        whole: float, 300 by default. Most seconds for a whole body.
        at_once: int, 64 by default. Most requests with bodies at the same time.
    """

    def __init__(self, app, pause=30.0, whole=300.0, at_once=64):
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
        until, ended, answering = time.monotonic() + self.whole, None, False

        async def receive_part():
            nonlocal ended
            if ended:  # waits until the browser disconnects
                return await receive()
            patience = min(self.pause, until - time.monotonic())
            message = await asyncio.wait_for(receive(), max(patience, 0))
            if message["type"] == "http.disconnect":
                ended = "gone"
            elif not message.get("more_body"):
                ended = "whole"
            return message

        async def send_on(message):
            nonlocal answering
            answering = True
            await send(message)

        self.under_way += 1
        try:
            await self.app(scope, receive_part, send_on)
        except Exception:
            if ended == "whole" or answering:
                raise
            if not ended:
                await _answer(send, 408, "The upload took too long.")
        finally:
            self.under_way -= 1


async def _answer(send, status, text):
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
