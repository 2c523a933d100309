import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import pytest
from support.bounds import refused
from support.hub_server import HubServer
from support.presets_helpers import assert_same_weights, small_model
from support.presets_server import Server, serving

import keras_cyclegan as kcg
from keras_cyclegan import CycleGAN
from keras_cyclegan.files import download
from keras_cyclegan.presets import archive as archives
from keras_cyclegan.presets.folder import FILES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "BACK_OFF", 0.001)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "mine"
    model.save_to_preset(folder)
    return folder


@pytest.mark.parametrize(
    "handle",
    [
        *("hf://mine", "hf://me/mine/more", "hf://../mine", "kaggle://me/mine", "ftp://x/y.zip"),
        *("hf://me/mine@../../x", "hf://me/mine@/x", "hf://me/mine/", "file:///x", "hf://me/mine@"),
        *("kaggle://me/mine/keras/a/b", "http://x/y.zip", "https://x/y.zip#sha256=12", "gs://x/y"),
    ],
)
def test_malformed_handles_say_what_is_expected(handle):
    with pytest.raises(ValueError, match=r"hf://user/repo.*kaggle://.*https://"):
        CycleGAN.from_preset(handle)


# --- archives ----------------------------------------------------------------------------------


def zipped(files, top="mine/"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return buffer.getvalue()


def tarred(files, top="mine/", mode="w:gz", kind=tarfile.REGTYPE):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(top + name)
            member.size, member.type = len(content) if kind == tarfile.REGTYPE else 0, kind
            member.linkname = "/etc/passwd"
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def load_archive(content, tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(content)
    (tmp_path / "unpacked").mkdir(exist_ok=True)
    archives.unpack(path, tmp_path / "unpacked")


@pytest.mark.parametrize(
    "pack",
    [zipped, lambda f: zipped(f, ""), tarred, lambda f: tarred(f, "./", "w")],
    ids=["zip", "zip without folder", "tar.gz", "tar"],
)
def test_archive_of_a_web_server(model, folder, pack):
    content = pack(contents(folder))
    with serving(Server(content)) as server:
        handle = f"{server.url}?token=s#sha256={hashlib.sha256(content).hexdigest()}"
        assert_same_weights(CycleGAN.from_preset(handle).generator_ab, model.generator_ab)
        CycleGAN.from_preset(handle)
        assert server.requests == 1
        assert not list(download.cache_folder().rglob("*token*"))


def test_a_page_in_place_of_an_archive_does_not_stay(model, folder):
    content = zipped(contents(folder))
    with serving(Server(content)) as server:
        handle = f"{server.url}#sha256={hashlib.sha256(content).hexdigest()}"
        page = b"<html>Sign in</html>"
        server.faults = [("body", page)]
        with pytest.raises(ValueError, match="archive"):
            CycleGAN.from_preset(f"{server.url}#sha256={hashlib.sha256(page).hexdigest()}")
        assert not list(download.cache_folder().rglob("file.bin*[!k]"))
        assert_same_weights(CycleGAN.from_preset(handle).generator_ab, model.generator_ab)


def test_a_full_disk_is_no_fault_of_the_archive(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "_copy", full)
    with pytest.raises(OSError, match="No space left"):
        load_archive(zipped(contents(folder)), tmp_path)


def test_archive_with_another_hash_is_not_opened(folder):
    with (
        serving(Server(zipped(contents(folder)))) as server,
        pytest.raises(download.DownloadError, match="SHA-256"),
    ):
        CycleGAN.from_preset(f"{server.url}#sha256={'0' * 64}")


@pytest.mark.parametrize(
    "name",
    ["../config.json", "/config.json", "a/b/config.json", "..\\config.json", "setup.py", "a.pkl"],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_that_are_no_files_of_a_preset_are_refused(tmp_path, name, pack):
    with refused("no plain file of a preset"):
        load_archive(pack({name: b"{}"}, top=""), tmp_path)
    assert os.listdir(tmp_path / "unpacked") == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_in_a_tar_are_refused(tmp_path, kind):
    with refused("no plain file"):
        load_archive(tarred({"config.json": b""}, kind=kind), tmp_path)


def test_links_in_a_zip_are_refused(tmp_path):
    member = zipfile.ZipInfo("config.json")
    member.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with refused("no plain file"):
        load_archive(buffer.getvalue(), tmp_path)


def test_unusual_compression_of_a_zip_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("config.json", "{}")
    with refused("no plain file"):
        load_archive(buffer.getvalue(), tmp_path)


def test_a_sparse_member_of_a_tar_is_refused(tmp_path):
    header = bytearray(tarred({"config.json": b""}, mode="w", kind=tarfile.GNUTYPE_SPARSE))
    with refused(r"no plain file"):
        load_archive(bytes(header), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_of_a_tar_that_would_fill_the_memory_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("config.json")
    member.type, member.size = kind, 2**24
    content = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(2**24) + bytes(1024))
    with refused("a header of it has more than the 1048576 bytes"):
        load_archive(content, tmp_path)


def test_an_endless_directory_of_a_zip_is_refused_unread(tmp_path):
    content = zipped({f"folder{i}/": b"" for i in range(20_000)}, top="")
    with refused("more than the 1048576 bytes"):
        load_archive(content, tmp_path)


def test_endless_folders_in_a_tar_are_refused(tmp_path):
    names = {f"folder{i}": b"" for i in range(99)}
    with refused("more members"):
        load_archive(tarred(names, kind=tarfile.DIRTYPE), tmp_path)


def test_an_archive_that_expands_beyond_its_declared_size_is_refused(tmp_path):
    content = bytearray(zipped({"config.json": bytes(1_000_000)}, top=""))
    for signature, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        begin = content.index(signature) + offset
        content[begin : begin + 4] = (1000).to_bytes(4, "little")
    with refused("archive"):
        load_archive(bytes(content), tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) <= 1000


def test_an_archive_that_declares_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    for pack in (zipped, tarred):
        with refused("expands to 1000000 bytes"):
            load_archive(pack({"config.json": bytes(1_000_000)}), tmp_path)


def test_a_small_archive_that_would_fill_the_disk_is_refused_before_it_does(tmp_path):
    for pack in (zipped, tarred):
        content = pack({"model.weights.h5": bytes(2**25)})
        assert len(content) < 40_000
        with refused("expands to 33554432 bytes; 16777216 are allowed"):
            load_archive(content, tmp_path)
        assert os.listdir(tmp_path / "unpacked") == []


@pytest.mark.parametrize("content", [b"", b"<html>", zipped({"config.json": b"{}"})[:-9]])
def test_what_is_no_archive_is_refused(tmp_path, content):
    with refused("archive"):
        load_archive(content, tmp_path)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_flipped_bit_is_a_refusal_and_no_other_error(tmp_path, pack):
    content = pack({"config.json": b"{}", "metadata.json": b"{}"})
    refusals = []
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        try:
            load_archive(damaged, tmp_path)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > len(content) / 4
    assert all("is refused as a preset archive" in refusal for refusal in refusals)


def test_a_member_twice_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("config.json"))
    with refused("once"):
        load_archive(buffer.getvalue(), tmp_path)


# --- hubs --------------------------------------------------------------------------------------


def test_hugging_face_hub_up_and_down(model, tmp_path):
    pytest.importorskip("huggingface_hub", reason="the client of the hub")
    script = """
import json, os, sys
import numpy as np
import keras_cyclegan as kcg
kcg.upload_preset("hf://me/mine", sys.argv[1])
architecture = kcg.CycleGAN.from_preset("hf://me/mine", load_weights=False)
cache = os.listdir(os.path.join(os.environ["HF_HOME"], "hub/models--me--mine/blobs"))
model = kcg.CycleGAN.from_preset("hf://me/mine@main")
found = [np.sum(np.abs(weight)).item() for weight in model.generator_ab.get_weights()]
for offline, name in (("0", "nothing"), ("1", "something")):
    os.environ["KERAS_CYCLEGAN_OFFLINE"] = offline
    try:
        kcg.CycleGAN.from_preset(f"hf://me/{name}")
    except kcg.files.download.DownloadError as error:
        found.append(str(error))
kcg.CycleGAN.from_preset("hf://me/mine")
print(json.dumps([len(cache), found]))
"""
    folder = tmp_path / "generators"
    model.save_to_preset(folder, discriminators=False)
    (folder / "notes.txt").write_text("not of the preset")
    with serving(HubServer()) as hub:
        hub.files["discriminators.weights.h5"] = hub.files["their.txt"] = b"of an earlier model"
        environment = os.environ | {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
            "HF_HOME": str(tmp_path / "hf"),
            "HF_TOKEN": "hf_test",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        ran = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    blobs, found = json.loads(ran.stdout.splitlines()[-1])
    assert set(hub.files) == {*FILES, "their.txt"} - {"discriminators.weights.h5"}
    assert hub.files["model.weights.h5"] == (folder / "model.weights.h5").read_bytes()
    assert blobs == 2  # config and metadata only
    sums = [abs(weight).sum().item() for weight in model.generator_ab.get_weights()]
    assert found[:-2] == pytest.approx(sums, rel=1e-5)
    for name, message in zip(("nothing", "something"), found[-2:], strict=True):
        assert f"hf://me/{name}" in message
        assert str(tmp_path / "hf") in message
    assert not any("something" in path for _, path in hub.requests)
    assert b'from_preset("hf://me/mine")' in hub.files["README.md"]


def test_kaggle_handles_go_to_its_client(model, folder, tmp_path, monkeypatch):
    calls = []

    def model_download(handle):
        calls.append(("down", handle))
        return str(folder)

    def model_upload(handle, path):
        calls.append(("up", handle, contents(Path(path))))

    client = types.SimpleNamespace(model_download=model_download, model_upload=model_upload)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    loaded = CycleGAN.from_preset("kaggle://me/mine/keras/small/2")
    assert_same_weights(loaded.generator_ab, model.generator_ab)
    mine = tmp_path / "mine"
    shutil.copytree(folder, mine)
    (mine / "[1].txt").write_text("not of the preset")
    kcg.upload_preset("kaggle://me/mine/keras/small", mine)
    uploaded = contents(folder)
    card = uploaded["README.md"].replace(b'"mine"', b'"kaggle://me/mine/keras/small"')
    assert calls == [
        ("down", "me/mine/keras/small/2"),
        ("up", "me/mine/keras/small", {**uploaded, "README.md": card}),
    ]
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    with pytest.raises(download.DownloadError, match="Offline"):
        CycleGAN.from_preset("kaggle://me/mine/keras/small/2")
    assert len(calls) == 2


@pytest.mark.parametrize("package", ["huggingface_hub", "kagglehub"])
def test_absent_client_says_what_to_install(folder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    handle = {"huggingface_hub": "hf://me/mine", "kagglehub": "kaggle://me/mine/keras/small"}
    with pytest.raises(ImportError, match=r"keras-cyclegan\[hub\]"):
        CycleGAN.from_preset(handle[package])


@pytest.mark.parametrize(
    "broken", ["model.weights.h5", "metadata.json", "README.md", "config.json"]
)
def test_a_broken_preset_is_not_uploaded(broken, model, tmp_path, monkeypatch):
    model.save_to_preset(tmp_path / "mine")
    if broken == "model.weights.h5":
        (tmp_path / "mine" / broken).write_bytes(b"broken")
    else:
        (tmp_path / "mine" / broken).unlink()
    client = types.SimpleNamespace(model_upload=lambda *_, **__: pytest.fail("uploaded"))
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    with pytest.raises((ValueError, FileNotFoundError), match=broken):
        kcg.upload_preset("kaggle://me/mine/keras/small", tmp_path / "mine")


@pytest.mark.parametrize(
    "uri", ["mine", "hf://me/mine@main", "https://x/y.zip", "kaggle://me/mine"]
)
def test_upload_to_a_malformed_address(folder, uri):
    with pytest.raises(ValueError, match="Unknown handle"):
        kcg.upload_preset(uri, folder)
