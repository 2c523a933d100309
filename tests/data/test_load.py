import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import data
from keras_cyclegan.data import from_unit, glyphs, load, load_sets, resize_image, store


def write_images(folder, count, size=(20, 24), seed=0):
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    images = []
    for number in range(count):
        images.append(generator.integers(0, 256, (*size, 3), "uint8"))
        Image.fromarray(images[-1]).save(folder / f"{number:03}.png")
    return images


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    for seed, (name, count) in enumerate(
        [("trainA", 5), ("trainB", 7), ("testA", 2), ("testB", 3)]
    ):
        write_images(root / name, count, seed=seed)
    return root


def pixels(dataset, domain=0):
    return np.concatenate([from_unit(batch[domain].numpy()) for batch in dataset])


def test_folder_of_four_folders(folder):
    train, validation = load(folder, image_size=16, batch_size=2, seed=0)
    assert len(train) == 3
    assert train.element_spec[0].shape == (2, 16, 16, 3)
    decoded = data.decode_image(folder / "testA" / "001.png")
    np.testing.assert_array_equal(pixels(validation)[1], resize_image(decoded, (16, 16)))
    assert len(pixels(validation, 1)) == 2


def test_training_images_are_windows_of_the_resized_ones(folder):
    train, _ = load(folder, image_size=16, seed=0, flip=False)
    resized = [
        resize_image(data.decode_image(path), (18, 18)) for path in (folder / "trainA").iterdir()
    ]
    windows = {
        image[y : y + 16, x : x + 16].tobytes()
        for image in resized
        for y in range(3)
        for x in range(3)
    }
    assert all(image.tobytes() in windows for image in pixels(train))


def test_two_folders_have_no_validation_unless_asked_for(folder):
    pair = (folder / "trainA", folder / "trainB")
    train, validation = load(pair, image_size=16)
    assert validation is None
    assert len(train) == 7
    train, validation = load(pair, image_size=16, validation_split=0.4)
    assert (len(train), len(validation)) == (4, 2)
    _, again = load(pair, image_size=16, validation_split=0.4, seed=5)
    np.testing.assert_array_equal(pixels(validation), pixels(again))


def test_held_out_images_are_not_trained_on(folder):
    pair = (folder / "trainA", folder / "trainB")
    options = {"image_size": 16, "load_size": 16, "validation_split": 0.4, "flip": False}
    train, validation = load(pair, **options)
    kinds = [{image.tobytes() for image in pixels(dataset)} for dataset in (train, validation)]
    assert [len(kind) for kind in kinds] == [3, 2]
    assert not kinds[0] & kinds[1]


def test_domains_of_different_channels(folder):
    train, validation = load(folder, image_size=16, channels=(1, 3))
    for dataset in (train, validation):
        a, b = dataset.element_spec
        assert (a.shape[-1], b.shape[-1]) == (1, 3)


def test_hidden_and_system_files_are_no_images_and_sub_folders_are_searched(folder):
    for name in (".DS_Store", "Thumbs.db", ".cache/x.png"):
        path = folder / "trainA" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    write_images(folder / "trainB" / "more", 3)
    train, _ = load(folder, image_size=16)
    assert len(train) == 10


def test_links_are_followed_and_a_ring_of_them_ends(folder, tmp_path):
    write_images(tmp_path / "elsewhere", 3)
    (folder / "trainB" / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "trainB" / "again.png").symlink_to(folder / "trainA" / "000.png")
    (folder / "trainB" / "ring").symlink_to(folder / "trainB")
    train, _ = load(folder, image_size=16)
    assert len(train) == 7 + 3 + 1


def test_link_that_leads_nowhere_is_a_missing_image(folder):
    (folder / "trainB" / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(ValueError, match=r"1 of 8 images .*\n.*gone\.png"):
        load(folder, image_size=16)
    with pytest.warns(UserWarning, match=r"Skipped 1 of 8"):
        assert len(load(folder, image_size=16, on_error="skip")[0]) == 7


def test_names_of_any_alphabet_and_case(folder):
    (folder / "trainB" / "000.png").rename(folder / "trainB" / "Żebra 斑马.PNG")
    (folder / "trainB" / "001.png").rename(folder / "trainB" / "no suffix")
    assert len(load(folder, image_size=16)[0]) == 7


def break_two(folder):
    (folder / "trainB" / "003.png").write_bytes(b"no image")
    path = folder / "trainB" / "005.png"
    path.write_bytes(path.read_bytes()[:-200])


def test_bad_files_are_all_named_before_training(folder):
    break_two(folder)
    with pytest.raises(ValueError, match=r"(?s)2 of 7 images of .*trainB.*003\.png.*005\.png"):
        load(folder, image_size=16)


def test_bad_files_of_all_folders_are_told_at_once(folder):
    break_two(folder)
    (folder / "trainA" / "002.png").write_bytes(b"no image")
    message = r"(?s)1 of 5 images of .*trainA.*002\.png.*2 of 7 images of .*trainB.*003\.png"
    with pytest.raises(ValueError, match=message) as error:
        load(folder, image_size=16)
    assert str(error.value).count("on_error") == 1


def test_bad_files_of_scores_are_told_without_a_choice_that_scores_lack(tmp_path):
    for domain in "AB":
        (tmp_path / f"test{domain}").mkdir()
        (tmp_path / f"test{domain}" / "bad.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"(?s)testA.*testB.*Repair or remove them\.$"):
        load_sets(tmp_path, 16)


def test_skipping_counts_and_names(folder):
    break_two(folder)
    with pytest.warns(UserWarning, match=r"(?s)Skipped 2 of 7 images of .*003\.png.*005\.png"):
        train, _ = load(folder, image_size=16, on_error="skip")
    assert len(train) == 5


def test_nothing_left_after_skipping_is_an_error(folder):
    for path in (folder / "trainA").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="5 of 5 images"):
        load(folder, image_size=16, on_error="skip")


def test_images_smaller_than_the_crop_are_named(folder):
    Image.new("RGB", (10, 30)).save(folder / "trainA" / "002.png")
    with pytest.raises(ValueError, match=r"002\.png: The image is 30×10, too small to cut 16×16"):
        load(folder, image_size=16, resize="crop")


def test_on_disk_is_as_in_memory(folder, tmp_path):
    cache = tmp_path / "cache"
    kept, kept_validation = load(folder, image_size=16, seed=0)
    mapped, mapped_validation = load(
        folder, image_size=16, seed=0, memory_limit=0, cache_folder=cache
    )
    assert len(list(cache.glob("*.pixels"))) == 4
    np.testing.assert_array_equal(pixels(kept, 1), pixels(mapped, 1))
    np.testing.assert_array_equal(pixels(kept_validation), pixels(mapped_validation))


def test_disk_is_used_only_above_the_limit(folder, tmp_path):
    cache = tmp_path / "cache"
    needed = (12 * 18 * 18 + 5 * 16 * 16) * 3
    load(folder, image_size=16, memory_limit=needed, cache_folder=cache)
    assert not cache.exists()
    load(folder, image_size=16, memory_limit=needed - 1, cache_folder=cache)
    assert cache.exists()


def test_cache_is_used_again_until_an_image_changes(folder, tmp_path, monkeypatch):
    options = {"image_size": 16, "seed": 0, "memory_limit": 0, "cache_folder": tmp_path / "cache"}
    first, _ = load(folder, **options)
    decoded = []
    original = store.open_native
    monkeypatch.setattr(store, "open_native", lambda *args: decoded.append(args) or original(*args))
    again, _ = load(folder, **options)
    assert not decoded
    first.seek(0)
    np.testing.assert_array_equal(pixels(first), pixels(again))
    os.utime(folder / "trainA" / "000.png", (1, 1))
    load(folder, **options)
    assert len(decoded) == 5
    load(folder, **{**options, "resize": "cover"})
    assert len(decoded) == 5 + 17


def test_failed_load_leaves_no_cache(folder, tmp_path):
    break_two(folder)
    cache = tmp_path / "cache"
    options = {"image_size": 16, "memory_limit": 0, "cache_folder": cache}
    with pytest.raises(ValueError, match="2 of 7"):
        load(folder, **options)
    assert len(list(cache.glob("*.pixels"))) == 3  # the other folders, which are whole
    for message in ("Skipped 2 of 7", "2 of 7 images .* were bad"):
        with pytest.warns(UserWarning, match=message):
            train, _ = load(folder, **options, on_error="skip")
        assert len(train) == 5
    with pytest.raises(ValueError, match="2 of 7"):
        load(folder, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 30}, "multiples of 4"),
        ({"image_size": 0}, "multiples of 4"),
        ({"image_size": 16.0}, r"int or \(height, width\).*image_size=16.0"),
        ({"image_size": (16, 16, 3)}, r"image_size=\(16, 16, 3\)"),
        ({"image_size": 16, "load_size": (20, 20, 3)}, r"load_size=\(20, 20, 3\)"),
        ({"image_size": 32, "load_size": 16}, "can't be smaller"),
        ({"resize": "bilinear"}, "Received resize='bilinear'"),
        ({"on_error": "ignore"}, "Received on_error='ignore'"),
        ({"channels": 0}, "channels=0"),
        ({"channels": 4}, "has 1 or 3 colour channels, but 4 are needed"),
        ({"channels": (1, 3, 3)}, r"channels=\(1, 3, 3\)"),
        ({"validation_split": None}, "Received None"),
        ({"validation_split": 0.5}, "has validation data of its own"),
        ({"validation_split": 1.5}, r"in \[0, 1\)"),
    ],
)
def test_bad_options_are_named(folder, options, message):
    with pytest.raises(ValueError, match=message):
        load(folder, **options)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"seed": -1}, {"steps_per_epoch": 0.5}])
def test_bad_sampling_is_refused_before_anything_is_decoded(folder, options, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        load(folder, image_size=16, **options)


def test_bad_folders_are_named(folder, tmp_path):
    for source in (None, 3):
        with pytest.raises(ValueError, match=f"Received {source}"):
            load(source)
    with pytest.raises(FileNotFoundError, match="Found: nothing"):
        load(folder / "trainA" / "000.png")
    with pytest.raises(FileNotFoundError, match='other sources are "glyphs"'):
        load("glyph")
    with pytest.raises(FileNotFoundError, match=r"(?s)nowhere.*trainA and trainB.*nothing"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="Found: set"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="Received missing"):
        load((folder / "trainA", "missing"))
    with pytest.raises(ValueError, match="Expected a folder, or two"):
        load((folder, folder, folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no images in .*empty"):
        load((folder / "trainA", tmp_path / "empty"))
    (folder / "testB").rename(folder / "other")
    with pytest.raises(FileNotFoundError, match="testB"):
        load(folder)


def test_tensorflow_datasets():
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=3):
        train, validation = load("tfds:cycle_gan/horse2zebra", image_size=16, seed=0)
    assert len(train) == len(validation) == 3
    assert train.element_spec[0].shape == (1, 16, 16, 3)
    assert pixels(train).std() > 1


def test_tensorflow_datasets_without_internet(monkeypatch):
    import tensorflow_datasets as tfds

    def offline(self, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", offline)
    with pytest.raises(RuntimeError, match=r"(?s)cycle_gan/horse2zebra.*no route.*folders trainA"):
        load("tfds:cycle_gan/horse2zebra")


def test_unknown_or_unfit_tensorflow_dataset():
    import tensorflow_datasets as tfds

    with pytest.raises(RuntimeError, match=r"can't give 'no_such_set'"):
        load("tfds:no_such_set")

    def other_splits(self, split, **kwargs):
        raise ValueError(f"Unknown split '{split}'. Should be one of ['train'].")

    with (
        tfds.testing.mock_data(as_dataset_fn=other_splits),
        pytest.raises(ValueError, match="Unknown split 'trainA'"),
    ):
        load("tfds:mnist")


def test_glyphs_are_split_without_overlap():
    train_a, train_b, test = glyphs.glyph_characters()
    assert (len(train_a), len(train_b), len(test)) == (778, 777, 192)
    characters = train_a + train_b + test
    assert len(set(characters)) == 1747
    assert {unicodedata.category(c)[0] for c in characters} == {"L", "N"}
    for domain in "ab":  # no look-alikes of other scripts either
        drawings = glyphs.render_glyphs(characters, domain, channels=1)
        assert len({drawing.tobytes() for drawing in drawings}) == len(characters)


def test_glyphs_have_validation_of_their_own():
    with pytest.raises(ValueError, match="has validation data of its own"):
        load("glyphs", validation_split=0.1)


@pytest.mark.parametrize("domain", ["a", "b"])
def test_glyphs_are_dark_on_white_and_whole(domain):
    characters = [c for characters in glyphs.glyph_characters() for c in characters]
    drawings = glyphs.render_glyphs(characters, domain)[..., 0]
    assert (drawings < 128).any(axis=(1, 2)).all()
    assert np.median(drawings) == 255
    border = drawings.copy()
    border[:, 2:-2, 2:-2] = 255
    assert (border == 255).all()  # room for shifts of 2 pixels


def test_glyphs_validation_shows_one_character_in_both_fonts():
    _, validation = load("glyphs")
    test = glyphs.glyph_characters()[2]
    for domain in (0, 1):
        np.testing.assert_array_equal(
            pixels(validation, domain), glyphs.render_glyphs(test, "ab"[domain])
        )
    a, b = pixels(validation).astype(float), pixels(validation, 1).astype(float)
    paired, shifted = np.abs(a - b).mean() / 255, np.abs(a - np.roll(b, 1, axis=0)).mean() / 255
    assert 0.06 < paired < 0.08 < 1.3 * paired < shifted


def test_glyphs_training_shifts_but_never_mirrors():
    train, _ = load("glyphs", seed=0, channels=1)
    drawings = glyphs.render_glyphs(glyphs.glyph_characters()[0], "a", channels=1)
    padded = np.pad(drawings, [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=255)
    windows = {
        image[y : y + 32, x : x + 32].tobytes(): (i, y, x)
        for i, image in enumerate(padded)
        for y in range(5)
        for x in range(5)
    }
    found = [windows[image.tobytes()] for image in pixels(train)]
    assert len({place[1:] for place in found}) == 25


def test_importing_the_package_does_not_import_tensorflow_or_its_datasets():
    pytest.importorskip("scipy", reason="Keras's backend numpy needs scipy")
    code = (
        "import sys, keras; before = set(sys.modules); import keras_cyclegan.data; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    # The only backend of Keras that doesn't import TensorFlow itself, and the quickest to start.
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    for package in ("tensorflow_datasets", "matplotlib", "tensorflow"):
        assert f"'{package}'" not in result.stdout
