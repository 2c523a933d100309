"""The horse2zebra benchmark, on drawn images and a cheap extractor."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def kid(script, monkeypatch):
    kid = script("presets/horse2zebra_kid")
    monkeypatch.setattr(kid, "HOLDOUT", {"a": 4, "b": 6})

    class Means:
        protocol = {"extractor": "means", "resizing": "none"}  # noqa: RUF012

        def __call__(self, images):
            assert images.dtype == np.uint8
            assert images.shape[1:] == (128, 128, 3)
            return images.mean(axis=(1, 2)) / 255

    monkeypatch.setattr(kid, "EfficientNetLite0Features", Means)
    return kid


@pytest.fixture
def data(tmp_path):
    """Dark images in A, light ones in B; file names say their place in sorted order."""
    for folder, count, level in (("trainA", 9, 40), ("trainB", 12, 200), ("testA", 5, 40),
                                 ("testB", 7, 200)):  # fmt: skip
        (tmp_path / folder).mkdir()
        for index in range(count):
            image = np.full((20, 20, 3), level + index, "uint8")
            Image.fromarray(image).save(tmp_path / folder / f"{index:03}.jpg")
    return tmp_path


@pytest.mark.parametrize("split", ["test", "train-holdout"])
def test_a_perfect_translator_reaches_the_floor_and_the_identity_the_baseline(kid, data, split):
    benchmark = kid.HorseToZebraBenchmark(data, split, batch_size=3)
    untranslated = benchmark.untranslated("a_to_b")
    assert untranslated.value > 0.1
    assert benchmark.score(lambda images: images, "a_to_b") == untranslated
    assert abs(benchmark.score(lambda images: images + 160, "a_to_b").value) < 0.01
    assert abs(benchmark.score(lambda images: images - 160, "b_to_a").value) < 0.01
    assert abs(benchmark.same_domain("b").value) < 0.01
    counts = (5, 7) if split == "test" else (4, 6)
    protocol = untranslated.protocol
    assert (protocol["generated images"], protocol["real images"]) == counts


def test_holdout_is_the_end_of_the_sorted_training_images(kid, data):
    paths = kid.split_paths(data, "train-holdout", "a")
    assert [path.stem for path in paths] == ["005", "006", "007", "008"]
    with pytest.raises(ValueError, match="train-holdout"):
        kid.split_paths(data, "validation", "a")


def test_translator_gets_the_size_asked_for_and_is_viewed_at_128(kid, data):
    sizes = []

    def translate(images):
        sizes.append(images.shape[1:])
        return images

    benchmark = kid.HorseToZebraBenchmark(data, translate_at=256)
    benchmark.score(translate, "a_to_b")
    assert set(sizes) == {(256, 256, 3)}


def test_a_translator_that_loses_images_or_returns_floats_is_refused(kid, data):
    benchmark = kid.HorseToZebraBenchmark(data)
    with pytest.raises(ValueError, match="5 uint8 images"):
        benchmark.score(lambda images: images[:-1], "a_to_b")
    with pytest.raises(ValueError, match="float32"):
        benchmark.score(lambda images: images.astype("float32"), "a_to_b")


def test_table_has_both_directions_and_the_protocol(kid, data, capsys):
    benchmark = kid.HorseToZebraBenchmark(data)
    kid.print_table(benchmark, lambda images, direction: images)
    printed = capsys.readouterr().out
    assert printed.count("**translated") == 2
    assert "resizing none" in printed
    assert "Machine: " in printed
