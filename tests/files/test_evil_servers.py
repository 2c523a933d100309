"""Answers that no honest server gives, from a real one on the loopback address."""

import contextlib
import os
import socket
import subprocess
import threading
import time

import filelock
import pytest
from support.light import light_command

from keras_cyclegan.files import download
from keras_cyclegan.files.download import DownloadError, fetch

CONTENT = bytes(range(256)) * 400
SIZE = len(CONTENT)


class EvilServer:
    """Sends the next of `answers` to each who connects, byte for byte; the last one for ever.

    An answer is a list of bytes to send; a float among them is a pause in seconds.
    """

    def __init__(self):
        self.answers = []
        self.requests = []
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/file.bin"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection, contextlib.suppress(OSError):
            self.requests.append(connection.recv(2**16).decode())
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            for part in answer:
                if isinstance(part, float):
                    self.over.wait(part)
                else:
                    connection.sendall(part)


@pytest.fixture
def server():
    server = EvilServer()
    yield server
    server.over.set()
    server.listener.close()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.001)
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    for name in ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "file.bin"


def head(status=200, length=SIZE):
    lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {length}", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


GOOD = [head(), CONTENT]


def dripping(*start):
    return [*start, *[b"x", 0.1] * 100]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (dripping(b"HTTP/1.1 200 OK\r\nX: "), "does not answer"),
        (dripping(b""), "does not answer"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n", 0.1] * 50], "does not answer"),
        (dripping(b"HTTP/1.1 302 Found\r\nLocation: "), "does not answer"),
        (
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "slower than 32768 bytes in 0.3 s",
        ),
        (
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"),
            "slower than 32768 bytes in 0.3 s",
        ),
        (dripping(head(), b""), "slower than 32768 bytes in 0.3 s"),
    ],
    ids=["a header", "status", "headers", "redirect", "chunk", "chunk's extension", "body"],
)
def test_a_server_that_sends_single_bytes_for_ever_is_given_up(server, path, answer, said):
    server.answers = [answer]
    begun = time.monotonic()
    with pytest.raises(DownloadError, match=said):
        fetch(server.url, path, attempts=3)
    assert time.monotonic() - begun < 5
    with filelock.FileLock(f"{path}.lock").acquire(timeout=0):
        pass
    server.answers = [GOOD]
    assert fetch(server.url, path).read_bytes() == CONTENT


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "12, 12", "1e3", "0x10", "٣"])
def test_a_malformed_content_length_is_refused(server, path, length):
    server.answers = [[head(length="@").replace(b"@", length.encode()), CONTENT]]
    with pytest.raises(DownloadError, match="declares a length of") as error:
        fetch(server.url, path)
    assert len(str(error.value)) < 1000
    assert not path.exists()
    assert len(server.requests) == 1


def test_a_part_that_nobody_asked_for_is_refused(server, path):
    server.answers = [[head(206), CONTENT]]
    with pytest.raises(DownloadError, match="the server answers 206"):
        fetch(server.url, path)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\1\2\3" * 1000,
        b"HTTP/1.1 999999999 \xff\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999999/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe://\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 10**5,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10**5,
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 10**6,
        b"HTTP/1.1 503 \x1b[31m\r\nRetry-After: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 503 Later\r\nRetry-After: 999999\r\n\r\n",
    ],
)
def test_nonsense_ends_in_a_download_error(server, path, answer):
    server.answers = [[answer]]
    with pytest.raises(DownloadError) as error:
        fetch(server.url, path, attempts=2)
    assert len(str(error.value)) < 1000
    assert str(error.value).isprintable()


@pytest.mark.parametrize("suffix", ["", ".sha256"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_pipe_in_a_files_place_is_said(server, path, suffix, make):
    path.parent.mkdir()
    make(f"{path}{suffix}")
    server.answers = [GOOD]
    with pytest.raises(DownloadError, match=rf"file\.bin{suffix} must be a file"):
        fetch(server.url, path)


def test_a_folder_in_place_of_the_lock_is_said(server, path):
    path.with_name("file.bin.lock").mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"file\.bin"):
        fetch(server.url, path)


@pytest.mark.parametrize("record", ["", "\n", "00", "x" * 10**6, "\0" * 64, "A" * 64])
def test_a_record_that_is_no_hash_is_not_believed(server, path, record):
    path.parent.mkdir()
    path.with_name("file.bin.sha256").write_text(record)
    server.answers = [GOOD]
    with pytest.raises(DownloadError, match=r"file\.bin\.sha256 holds no SHA-256"):
        fetch(server.url, path)
    path.write_bytes(CONTENT)
    with pytest.raises(DownloadError, match=r"file\.bin\.sha256 holds no SHA-256"):
        fetch(server.url, path)


@pytest.mark.parametrize("sha256", ["", "ab", "g" * 64, "a" * 65])
def test_an_expected_hash_that_is_malformed_is_refused(path, sha256):
    with pytest.raises(ValueError, match="SHA-256"):
        fetch("http://127.0.0.1:9/", path, sha256=sha256)


def test_a_waiting_process_says_for_whom_and_gives_up(server, path, monkeypatch, caplog):
    code = """
import time
from pathlib import Path
from keras_cyclegan.files.download import locked
with locked(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""
    command = light_command(code, path)
    monkeypatch.setattr(download, "LOCK_TIMEOUT", 0.3)
    server.answers = [GOOD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        holder = rf"process {process.pid} on {socket.gethostname()}, since 20"
        try:
            with pytest.raises(DownloadError, match=holder):
                fetch(server.url, path)
            assert f"process {process.pid}" in caplog.text
        finally:
            process.kill()
    # The dead hold no lock.
    assert fetch(server.url, path).read_bytes() == CONTENT
