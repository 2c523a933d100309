import hashlib
import os
import socket
import subprocess
import threading
import time

import numpy as np
import pytest
from pooch import core
from support.light import light_command
from support.presets_server import Server, serving

from keras_cyclegan.files import download
from keras_cyclegan.files.download import DownloadError, fetch

CONTENT = np.random.default_rng(0).bytes(1_000_000)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(core.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    for name in ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with serving(Server(CONTENT)) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "file.bin"


def test_a_file_is_downloaded_once(server, path):
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert fetch(server.url, path) == path
    assert server.requests == 1
    assert sorted(os.listdir(path.parent)) == ["file.bin", "file.bin.sha256"]


@pytest.mark.parametrize("fault", [("cut", 400_000), ("stall", 300_000), ("status", 503)])
def test_a_download_that_breaks_off_is_tried_again(server, path, fault):
    server.faults = [fault, fault]
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert server.requests == 3


def test_lasting_trouble_ends_with_address_and_full_path(server, path):
    server.faults = [("status", 404)] * 9
    with pytest.raises(DownloadError) as error:
        fetch(server.url, path)
    assert "404" in str(error.value)
    assert server.url in str(error.value)
    assert str(path.absolute()) in str(error.value)
    assert server.requests == download.ATTEMPTS
    assert os.listdir(path.parent) == []


def test_no_server_at_all(path):
    with serving(Server(b"")) as closed:
        url = closed.url
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch(url, path)


def test_a_redirect_is_not_followed_to_a_file(server, path):
    server.faults = [("redirect", "file:///etc/passwd")] * 9
    with pytest.raises(DownloadError, match="file:"):
        fetch(server.url, path)


def test_a_cache_that_cannot_be_written_to_is_read(server, path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError("Permission denied")

    path.parent.mkdir()
    path.write_bytes(CONTENT)
    monkeypatch.setattr(core, "stream_download", denied)
    monkeypatch.setattr(download, "atomic_file", denied)
    assert fetch(server.url, path) == path
    assert server.requests == 0
    with pytest.raises(DownloadError, match=r"Permission denied.*KERAS_HOME"):
        fetch(server.url, path.with_name("other"))


def test_wrong_bytes_are_thrown_away(server, path):
    server.faults = [("body", CONTENT[::-1])] * download.ATTEMPTS
    pinned = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(DownloadError, match=pinned):
        fetch(server.url, path, sha256=pinned)
    assert not path.exists()
    assert fetch(server.url, path, sha256=pinned).read_bytes() == CONTENT


def test_hash_is_recorded_at_first_use_and_checked_at_later_ones(server, path, caplog):
    fetch(server.url, path)
    first, second = (hashlib.sha256(x).hexdigest() for x in (CONTENT, CONTENT[::-1]))
    assert f"has SHA-256 {first}: later downloads must have it too" in caplog.text
    path.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(DownloadError, match=rf"{first} but got {second}.*file\.bin\.sha256"):
        fetch(server.url, path)
    server.content = CONTENT
    fetch(server.url, path)


def test_a_damaged_file_is_replaced_by_what_it_was(server, path):
    fetch(server.url, path)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(server.url, path).read_bytes() == CONTENT
    path.write_bytes(CONTENT[:-1] + b"x")
    server.content = b"another"
    with pytest.raises(DownloadError, match="does not match"):
        fetch(server.url, path)


def test_a_file_put_there_by_hand_is_recorded_too(server, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT[::-1])
    fetch(server.url, path)
    path.unlink()
    with pytest.raises(DownloadError, match="does not match"):
        fetch(server.url, path)


@pytest.mark.parametrize("record", ["\n", "00", "x" * 10**6, "\0" * 64, "A" * 64])
def test_a_record_that_is_no_hash_is_not_taken_for_one(server, path, record):
    path.parent.mkdir()
    path.with_name("file.bin.sha256").write_text(record + "x")
    with pytest.raises(DownloadError, match=r"file\.bin\.sha256"):
        fetch(server.url, path, attempts=1)


def test_offline_mode_names_the_path_and_uses_what_is_there(server, path, monkeypatch):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    with pytest.raises(DownloadError, match="Offline") as error:
        fetch(server.url, path)
    assert str(path.absolute()) in str(error.value)
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert fetch(server.url, path).read_bytes() == CONTENT
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(DownloadError, match="updates are disallowed"):
        fetch(server.url, path)
    assert server.requests == 0


def test_two_processes_at_once_both_have_the_whole_file(server, path):
    code = "from keras_cyclegan.files.download import fetch; fetch(*sys.argv[2:])"
    command = light_command(code, server.url, path)
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert path.read_bytes() == CONTENT


def test_a_killed_download_leaves_nothing_that_is_taken_for_the_file(server, path):
    server.faults = [("stall", 400_000)]
    code = "from keras_cyclegan.files.download import fetch; fetch(*sys.argv[2:])"
    with subprocess.Popen(light_command(code, server.url, path)) as process:
        while not list(path.parent.glob("*")):
            time.sleep(0.01)
        process.kill()
    assert not path.exists()
    assert fetch(server.url, path).read_bytes() == CONTENT


@pytest.mark.parametrize("suffix", ["", ".sha256"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_pipe_in_a_files_place_is_said(server, path, suffix, make):
    path.parent.mkdir()
    make(f"{path}{suffix}")
    with pytest.raises(DownloadError, match=rf"file\.bin{suffix}"):
        fetch(server.url, path)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\1\2\3" * 1000,
        b"HTTP/1.1 999999999 \xff\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999999/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 10**5,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10**5,
        b"HTTP/1.1 503 \x1b[31m\r\nRetry-After: " + b"9" * 5000 + b"\r\n\r\n",
    ],
)
def test_nonsense_ends_in_a_download_error(path, answer):
    def serve():
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(2**16)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(DownloadError) as error:
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/file.bin", path, attempts=2)
    assert len(str(error.value)) < 1000
    assert str(error.value).isprintable()
