"""What a web page of another origin may ask of the demo: nothing."""

import ipaddress
import urllib.parse


class OwnOrigin:
    """An ASGI application that answers its own pages only.

    A browser sends a request to this machine for any page that asks it to. What comes from another
    origin is refused, and so is what names a foreign host: a page whose name was pointed to this
    address after it was loaded (DNS rebinding) counts as the same origin to the browser.

    Args:
        app: the ASGI application behind it.
        names: host names that lead here; IP addresses do without being named.
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
        """Why a request is refused, or None.

        Args:
            host: str. The request's header `Host`.
            origin: str. Its header `Origin`; None where it has none.
        """
        if not self._is_known(_name(host)):
            return "This demo isn't known by that name. Start it with --allowed-host NAME."
        if origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower():
            return "This demo takes requests from its own page only."
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
    """The host of a `Host` header, without its port and an IPv6 address's brackets."""
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
