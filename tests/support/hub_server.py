"""As much of the Hugging Face Hub as its client needs to upload and download one repository."""

import base64
import hashlib
import http.server
import json
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.requests = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        files = self.server.files
        self.server.requests.append((self.command, path))
        if path.startswith("/me/mine/resolve/"):
            name = path.split("/", 5)[5]
            if name not in files:
                return self.answer(b"", 404, X_Error_Code="EntryNotFound")
            etag = hashlib.sha256(files[name]).hexdigest()
            return self.answer(files[name], ETag=f'"{etag}"', X_Repo_Commit=COMMIT)
        if path.startswith("/api/models/me/mine/tree/"):
            return self.answer(
                [{"type": "file", "path": n, "size": len(c), "oid": "0"} for n, c in files.items()]
            )
        if path.startswith("/api/models/me/mine"):
            siblings = [{"rfilename": name} for name in files]
            return self.answer({"id": "me/mine", "sha": COMMIT, "siblings": siblings})
        return self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

    def do_POST(self):
        path = urlsplit(self.path).path
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, path))
        if path == "/api/repos/create":
            return self.answer({"url": f"http://{self.headers['Host']}/me/mine"})
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if path == "/api/models/me/mine/preupload/main":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        if path == "/api/models/me/mine/commit/main":
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "deletedFile":
                    del self.server.files[value["path"]]
            url = f"http://{self.headers['Host']}/me/mine/commit/{COMMIT}"
            return self.answer({"commitOid": COMMIT, "commitUrl": url, "success": True})
        return self.answer({"error": path}, 404)
