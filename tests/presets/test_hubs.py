import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from support.hub_server import HubServer
from support.presets_helpers import assert_same_weights, small_model
from support.presets_server import serving

import keras_cyclegan as kcg
from keras_cyclegan import CycleGAN
from keras_cyclegan.files import download
from keras_cyclegan.presets.folder import FILES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


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
        *("kaggle://me/mine/keras/a/b", "http://x/y.zip", "https://x/y.zip", "gs://x/y"),
    ],
)
def test_malformed_handles_say_what_is_expected(handle):
    with pytest.raises(ValueError, match=r"hf://user/repo.*kaggle://"):
        CycleGAN.from_preset(handle)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
