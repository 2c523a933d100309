"""EfficientNet-Lite in Keras: its maps are those of the torch package."""

import dataclasses
import importlib.util
import itertools

import keras
import numpy as np
import pytest

from keras_cyclegan.networks import efficientnet

VARIANT = "efficientnet-lite1"
PACKAGE = efficientnet.VARIANTS[VARIANT].package.replace("-", "_")
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed"
)


def smooth_images(height=128, width=128):
    small = np.random.default_rng(0).uniform(-1, 1, (2, 6, 6, 3)).astype("float32")
    resized = keras.ops.image.resize(small, (height, width), interpolation="bicubic")
    return np.clip(keras.ops.convert_to_numpy(resized), -1, 1)


def torch_taps(images):
    torch = pytest.importorskip("torch", reason="parity is measured against torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name(VARIANT, image_size=128).eval()
    path = efficientnet.packaged_weights(VARIANT)
    network.load_state_dict(torch.load(path, weights_only=True))
    normal = ((images + 1) / 2 - efficientnet.MEAN) / efficientnet.DEVIATION
    x = torch.from_numpy(normal.astype("float32").transpose(0, 3, 1, 2))
    maps = []
    with torch.no_grad():
        x = network._swish(network._bn0(network._conv_stem(x)))
        for block in network._blocks:
            maps.append(x := block(x))
    changes = [a for a, b in itertools.pairwise(maps) if a.shape[1] != b.shape[1]]
    by_channels = {x.shape[1]: x.numpy().transpose(0, 2, 3, 1) for x in [*changes, maps[-1]]}
    return [by_channels[channels] for channels in (24, 40, 112, 320)]


@needs_weights
def test_taps_equal_those_of_the_torch_package():
    images = smooth_images()
    network = efficientnet.efficientnet_lite(VARIANT, taps=True)
    taps = network(efficientnet.normalise(images))
    for stride, tap, expected in zip((4, 8, 16, 32), taps, torch_taps(images), strict=True):
        tap = keras.ops.convert_to_numpy(tap)
        assert tap.shape[1] == 128 // stride
        assert expected.std() > 0.1
        np.testing.assert_allclose(tap, expected, atol=1e-4 * np.abs(expected).max())


@needs_weights
def test_features_are_frozen_and_float32_under_every_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = efficientnet.efficientnet_lite(VARIANT, taps=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert not network.trainable_variables
    assert {layer.compute_dtype for layer in network.layers if layer.weights} == {"float32"}


@needs_weights
def test_changed_weights_are_refused(monkeypatch):
    other = efficientnet.VARIANTS["efficientnet-lite0"].sha256

    changed = dataclasses.replace(efficientnet.VARIANTS[VARIANT], sha256=other)
    monkeypatch.setitem(efficientnet.VARIANTS, VARIANT, changed)
    with pytest.raises(ValueError, match="was changed"):
        efficientnet.packaged_weights(VARIANT)
