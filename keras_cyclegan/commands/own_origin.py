"""Refuses requests to the demo that come from web pages of other origins."""

import ipaddress
import urllib.parse


class OwnOrigin:
    """An ASGI application that only answers requests of its own pages.

    Any web page can make a browser send requests to this machine. Requests from another origin are
    refused, and so are those for an unknown host name: if the name of a page is changed to this
    address after the page was loaded (DNS rebinding), the browser takes both for one origin.

    Args:
        app: the ASGI application that gets the other requests.
        names: host names of this machine; IP addresses are always allowed.
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
        text = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 403, "headers": text})
        await send({"type": "http.response.body", "body": refusal.encode()})

    def refusal(self, host, origin=None):
        """Return why a request is refused, or None.

        Args:
            host: str. The request's header `Host`.
            origin: str. Its header `Origin`; None where it has none.
        """
        if not self._is_known(_name(host)):
            return "This demo doesn't know that host name. Start it with --allowed-host NAME."
        if origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower():
            return "This demo only answers requests of its own page."
        return None

    def _is_known(self, name):
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _name(host):
    """Return the host of a `Host` header, without port and without an IPv6 address's brackets."""
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
