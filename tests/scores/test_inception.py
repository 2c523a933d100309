import hashlib
import importlib
import threading

import keras
import numpy as np
import pytest

from keras_cyclegan.files.download import DownloadError
from keras_cyclegan.metrics import InceptionFeatures, KernelInceptionDistance
from keras_cyclegan.scores import extractors as fid

torch = pytest.importorskip("torch", reason="parity with pytorch-fid is measured against torch")
torch_inception = importlib.import_module("support.torch_inception")


@pytest.fixture(scope="module")
def network():
    """The torch definition, with random weights."""
    return torch_inception.randomise(torch_inception.FIDInception(), seed=1)


@pytest.fixture(scope="module")
def state(network):
    return {key: value.numpy() for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def model(state):
    """The Keras definition, of any image size, with the torch network's weights."""
    return fid.fid_inception(state)


def features_by(model):
    features = object.__new__(InceptionFeatures)
    features.model = model
    return features


def test_every_stage_equals_the_torch_definition(network, model):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 131, 147, 3)).astype("float32")
    with torch.no_grad():
        expected = network.stages(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    blocks = [stage for stage in expected if stage.startswith("Mixed")]
    outputs = [model.get_layer(f"mixed{i}").output for i in range(len(blocks))]
    stages = keras.Model(model.inputs, [*outputs, model.output])
    for stage, output in zip([*blocks, "pool"], stages.predict_on_batch(images), strict=True):
        reference = expected[stage].numpy()
        if reference.ndim == 4:
            reference = reference.transpose(0, 2, 3, 1)
        assert output.shape == reference.shape, stage
        error = np.abs(output - reference).max() / np.abs(reference).max()
        assert error < 1e-4, f"{stage}: {error}"


def test_features_equal_those_of_pytorch_fid(network, model, monkeypatch):
    pytest.importorskip("pytorch_fid")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        torch_inception.stand_in_for_torchvision(monkeypatch)
    reference = importlib.reload(importlib.import_module("pytorch_fid.inception"))
    monkeypatch.setattr(
        reference, "load_state_dict_from_url", lambda *_, **__: network.state_dict()
    )
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 48, 3), dtype="uint8")
    with torch.no_grad():
        scaled = torch.from_numpy(images.transpose(0, 3, 1, 2)).float() / 255
        expected = reference.InceptionV3().eval()(scaled)[0][:, :, 0, 0].numpy()
    features = features_by(model)(images)
    np.testing.assert_allclose(features, expected, atol=1e-4 * np.abs(expected).max())
    as_floats = features_by(model)(images.astype("float32") / 127.5 - 1)
    np.testing.assert_allclose(as_floats, features, atol=1e-4 * np.abs(expected).max())


def test_images_are_resized_like_pytorch_fid_whether_small_or_large():
    identity = keras.Sequential([keras.Input((299, 299, 3)), keras.layers.Identity()])
    for side in (32, 128, 512):
        images = np.random.default_rng(side).uniform(-1, 1, (1, side, side, 3)).astype("float32")
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(images.transpose(0, 3, 1, 2)),
            size=(299, 299), mode="bilinear", align_corners=False,
        ).numpy()  # fmt: skip
        resized = features_by(identity)(images)
        np.testing.assert_allclose(resized, expected.transpose(0, 2, 3, 1), atol=1e-4)


def test_state_dict_of_another_network_is_refused(state):
    without = {key: value for key, value in state.items() if key != "Mixed_5b.branch1x1.bn.bias"}
    with pytest.raises(ValueError, match=r"Mixed_5b\.branch1x1\.bn\.bias"):
        fid.fid_inception(without)
    with pytest.raises(ValueError, match="not the state dict"):
        fid.fid_inception({**state, "AuxLogits.conv0.conv.weight": np.zeros(1)})
    with pytest.raises(ValueError, match=r"not the state dict.*\(3,\)"):
        fid.fid_inception({**state, "Conv2d_3b_1x1.bn.bias": np.zeros(3)})


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server in place of GitHub, and an empty cache."""
    presets_server = importlib.import_module("support.presets_server")
    server = presets_server.Server(b"a page that says 404")
    monkeypatch.setattr(fid, "WEIGHTS_URL", server.url)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_download_that_is_not_the_published_file_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(DownloadError, match="SHA256"):
        fid.download_fid_weights()
    assert not list(tmp_path.rglob("file.bin"))


def test_the_published_file_is_downloaded_once(server, tmp_path, monkeypatch):
    digest = hashlib.sha256(server.content).hexdigest()
    monkeypatch.setattr(fid, "WEIGHTS_SHA256", digest)
    assert fid.download_fid_weights().read_bytes() == server.content
    fid.download_fid_weights()
    assert server.requests == 1


def test_offline_the_error_says_what_to_download_and_where_to_put_it(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_CYCLEGAN_OFFLINE", "1")
    with pytest.raises(DownloadError, match=f"file.bin is missing. Download {server.url} on"):
        fid.download_fid_weights()


def test_default_extractor_is_fetched_on_first_use_and_named_in_the_score(model, monkeypatch):
    fetched = []
    monkeypatch.setattr(fid, "download_fid_weights", lambda: fetched.append(1))
    monkeypatch.setattr(fid, "read_state_dict", lambda path: {})
    monkeypatch.setattr(fid, "fid_inception", lambda state: model)
    distance = KernelInceptionDistance()
    assert not fetched
    images = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 3), dtype="uint8")
    distance.update_state(real=images, generated=images)
    assert fetched == [1]
    protocol = distance.score().protocol
    assert "pt_inception-2015-12-05" in protocol["extractor"]
    assert "299×299" in protocol["resizing"]
    assert protocol["real image size"] == "16×16"


def test_mixed_precision_does_not_change_the_features(model, state):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = fid.fid_inception(state)
        images = np.random.default_rng(6).uniform(-1, 1, (1, 75, 75, 3)).astype("float32")
        features = mixed.predict_on_batch(images)
    finally:
        keras.config.set_dtype_policy("float32")
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(features, expected, atol=1e-5 * np.abs(expected).max())
