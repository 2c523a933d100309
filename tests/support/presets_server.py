"""A real HTTP server on 127.0.0.1 that misbehaves as told."""

import contextlib
import http.server
import threading


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path.

    `faults` is a list of what to do to the next requests, one each; requests after them are
    served well:
        ("cut", n): close the connection after n bytes of the body.
        ("stall", n): send n bytes of the body, then nothing until the test ends.
        ("status", code): answer with that status.
        ("body", bytes): send those in place of the content.
        ("redirect", url): send elsewhere.
    """

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.faults = []
        self.requests = 0
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests += 1
        fault, *values = server.faults.pop(0) if server.faults else (None,)
        body, status, extra = server.content, 200, {}
        if fault == "status":
            status, body = values[0], b"no"
        elif fault == "body":
            body = values[0]
        elif fault == "redirect":
            status, body, extra["Location"] = 302, b"", values[0]
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
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
