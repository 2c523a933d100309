import errno
import hashlib
import io
import os
import socket
import subprocess
import time

import numpy as np
import pytest
import requests
from support.light import light_command
from support.presets_server import Server, serving

from keras_cyclegan.files import download
from keras_cyclegan.files.atomic import remove_abandoned
from keras_cyclegan.files.download import DownloadError, fetch

CONTENT = np.random.default_rng(0).bytes(1_000_000)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.001)
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


def visible_files(path):
    return sorted(name for name in os.listdir(path.parent) if not name.endswith(".lock"))


def test_a_file_is_downloaded_once(server, path):
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert fetch(server.url, path) == path
    assert server.requests == 1
    assert visible_files(path) == ["file.bin", "file.bin.sha256"]


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_a_download_that_breaks_off_is_tried_again(server, path, fault):
    server.faults = [(fault, 400_000), (fault, 300_000)]
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert server.requests == 3


def test_a_trickle_is_given_up(server, path):
    server.faults = [("trickle", 0.02)] * 20
    with pytest.raises(DownloadError, match=r"6 attempts .* slower than 32768 bytes in 0\.3 s"):
        fetch(server.url, path)
    assert server.requests == download.ATTEMPTS


def test_a_server_that_cuts_after_every_few_bytes_is_given_up(server, path):
    server.faults = [("cut", 100)] * 50
    with pytest.raises(DownloadError, match="6 attempts"):
        fetch(server.url, path)


def test_chunks_and_what_a_server_calls_compressed_arrive_as_they_are(server, path):
    server.faults = [("chunked",), ("encoded",)]
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert fetch(server.url, path.with_name("other")).read_bytes() == CONTENT


def test_a_redirect_is_followed_but_not_to_a_file(server, path):
    server.faults = [("redirect", server.url + "2")]
    assert fetch(server.url, path).read_bytes() == CONTENT
    server.faults = [("redirect", "file:///etc/passwd")]
    with pytest.raises(DownloadError, match="file:"):
        fetch(server.url, path.with_name("other"))


def test_an_encrypted_address_may_not_lead_to_a_readable_one(path, monkeypatch):
    def get(url, **_):
        response = requests.Response()
        response.url, response.status_code, response.raw = "http://x/y", 200, io.BytesIO(b"x")
        return response

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(DownloadError, match="without encryption"):
        fetch("https://x/y", path)
    assert visible_files(path) == []


def test_a_full_disk_is_said_and_leaves_nothing(server, path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_attempt", full)
    with pytest.raises(DownloadError, match=r"No space left.*file\.bin.*KERAS_HOME"):
        fetch(server.url, path)
    assert visible_files(path) == []


def test_a_cache_that_cannot_be_written_to_is_read(server, path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError("Permission denied")

    path.parent.mkdir()
    path.write_bytes(CONTENT)
    monkeypatch.setattr("filelock.FileLock", denied)
    monkeypatch.setattr(download, "atomic_file", denied)
    assert fetch(server.url, path) == path
    assert server.requests == 0
    with pytest.raises(DownloadError, match=r"other can't be made.*Set KERAS_HOME"):
        fetch(server.url, path.with_name("other"))


def test_a_file_put_there_by_hand_is_recorded_too(server, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    fetch(server.url, path)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch(server.url, path)


def test_passing_trouble_is_waited_out_with_longer_and_longer_pauses(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    server.faults = [("status", 503), ("status", 429), ("cut", 0)]
    assert fetch(server.url, path).read_bytes() == CONTENT
    assert pauses[0] < pauses[1] < pauses[2]


def test_lasting_trouble_ends_with_address_and_full_path(server, path):
    server.faults = [("status", 404)]
    with pytest.raises(DownloadError) as error:
        fetch(server.url, path)
    assert "404" in str(error.value)
    assert server.url in str(error.value)
    assert str(path.absolute()) in str(error.value)
    assert server.requests == 1


def test_no_server_at_all(server, path):
    with serving(Server(b"")) as closed:
        url = closed.url
    with pytest.raises(DownloadError, match="attempts in a row failed"):
        fetch(url, path)


def test_more_declared_than_sent_is_no_file(server, path):
    server.faults = [("declare", len(CONTENT) + 1)] * 50
    with pytest.raises(DownloadError, match="attempts"):
        fetch(server.url, path)
    assert not path.exists()


def test_less_declared_than_sent_fails_the_hash(server, path):
    server.faults = [("declare", len(CONTENT) - 1)]
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch(server.url, path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert visible_files(path) == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"min_bytes": 2_000_000}, "expected 2000000"), ({"max_bytes": 999}, "to 999")],
)
def test_declared_size_is_checked_before_a_byte_is_stored(server, path, limits, said):
    with pytest.raises(DownloadError, match=said):
        fetch(server.url, path, **limits)
    assert visible_files(path) == []


def test_undeclared_size_is_checked_too(server, path):
    server.faults = [("unsized",)] * 2
    with pytest.raises(DownloadError, match="more than the 999"):
        fetch(server.url, path, max_bytes=999)
    assert fetch(server.url, path).read_bytes() == CONTENT


def test_wrong_bytes_are_thrown_away(server, path):
    server.faults = [("body", CONTENT[::-1])]
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
    with pytest.raises(DownloadError, match=f"has SHA-256 {second}, expected {first}"):
        fetch(server.url, path)
    server.content = CONTENT
    fetch(server.url, path)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DownloadError, match="damaged or replaced"):
        fetch(server.url, path)


def test_offline_mode_names_the_path_and_uses_what_is_there(server, path, monkeypatch):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    with pytest.raises(DownloadError, match="Offline") as error:
        fetch(server.url, path)
    assert str(path.absolute()) in str(error.value)
    assert server.requests == 0
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert fetch(server.url, path).read_bytes() == CONTENT


def test_a_host_that_cannot_be_reached_is_no_matter_of_room(path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(
        DownloadError, match=r"Its place is .*\. Try again, or put the file"
    ) as error:
        fetch(f"http://127.0.0.1:{port}/file.bin", path, attempts=1)
    assert "KERAS_HOME" not in str(error.value)


def test_two_processes_download_once(server, path):
    server.faults = [("cut", 500_000)]
    code = "from keras_cyclegan.files.download import fetch; fetch(*sys.argv[2:])"
    command = light_command(code, server.url, path)
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert path.read_bytes() == CONTENT
    assert server.requests == 2  # both by the process that had the lock


def test_a_killed_download_leaves_nothing_that_is_taken_for_the_file(server, path):
    server.faults = [("stall", 400_000)]
    code = "from keras_cyclegan.files.download import fetch; fetch(*sys.argv[2:])"
    with subprocess.Popen(light_command(code, server.url, path)) as process:
        while not list(path.parent.glob(".unfinished-*")):
            time.sleep(0.01)
        process.kill()
    assert visible_files(path) != ["file.bin"]
    assert fetch(server.url, path).read_bytes() == CONTENT
    remove_abandoned(path.parent)
    assert {"file.bin", "file.bin.sha256"} == {*visible_files(path)} - {"file.bin.lock.holder"}
