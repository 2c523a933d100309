"""A real HTTP server on 127.0.0.1 that misbehaves as told."""

import contextlib
import http.server
import re
import threading


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path, with byte ranges and an ETag.

    `faults` is a list of what to do to the next requests, one each; requests after them are
    served well:
        ("cut", n): close the connection after n bytes of the body.
        ("stall", n): send n bytes of the body, then nothing until the test ends.
        ("status", code): answer with that status.
        ("declare", n): say that the body has n bytes, send all of it, close.
        ("wrong range",): answer a range with one that wasn't asked for.
        ("body", bytes): send those in place of the content.
        ("unsized",): send all of it without saying how much.
        ("chunked",): send all of it in chunks.
        ("trickle", n): send a byte every n seconds, for ever.
        ("short range",): answer a range with half of it.
        ("redirect", url): send elsewhere.
        ("encoded",): call the content compressed.
        ("new version", bytes): from now on serve those.

    With `heeds_versions` off it sends a range of whatever it has now; with `heeds_ranges` off it
    sends all of it.
    """

    daemon_threads = True
    etag = '"1"'
    heeds_versions = True
    heeds_ranges = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.faults = []
        self.ranges = []
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        fault, *values = server.faults.pop(0) if server.faults else (None,)
        if fault == "new version":
            server.content, server.etag = values[0], '"2"'
        body, status, extra = server.content, 200, {"ETag": server.etag}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range") == server.etag or not server.heeds_versions
        if asked and is_same and server.heeds_ranges:
            begin = int(asked[1])
            status = 206
            extra["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            body = body[begin:]
        if fault == "status":
            status, body = values[0], b"no"
        elif fault == "body":
            body = values[0]
        elif fault == "wrong range":
            status, body = 206, server.content
            extra["Content-Range"] = f"bytes 0-{len(body) - 1}/{len(body)}"
        elif fault == "short range":
            body = body[: len(body) // 2]
        elif fault == "redirect":
            status, body, extra["Location"] = 302, b"", values[0]
        elif fault == "encoded":
            extra["Content-Encoding"] = "gzip"
        elif fault == "chunked":
            self.protocol_version = "HTTP/1.1"
            extra["Transfer-Encoding"] = "chunked"
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        if fault not in ("unsized", "chunked"):
            length = values[0] if fault == "declare" else len(body)
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while fault == "trickle" and not server.over.wait(values[0]):
                self.wfile.write(b"x")
            for begin in range(0, len(body), 70_000) if fault == "chunked" else ():
                chunk = body[begin : begin + 70_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if fault == "chunked":
                body = b"0\r\n\r\n"
            self.wfile.write(body[: values[0]] if fault in ("cut", "stall") else body)
        if fault == "stall":
            server.over.wait(20)
        self.close_connection = True


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        if hasattr(server, "over"):
            server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
