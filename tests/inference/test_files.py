"""Which files `translate` of a folder or a pattern takes, and where their translations go."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan.inference.files import plan_files, translate_files, write_sheet


class Copying:
    """A model's replacement, which returns the pixels of the file."""

    channels, pixels_a, pixels_b = (3, 3), None, None

    def generators(self):
        return "a network", None

    def translate(self, source, direction="a_to_b"):
        return np.asarray(Image.open(source))


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / name, "PNG")
    return folder


def names(pairs, root):
    return [str(source.relative_to(root)) for source, _ in pairs]


def test_hidden_files_folders_and_leftovers_are_passed_over(tmp_path):
    images = make(
        tmp_path / "in",
        *("a.png", "b/c.JPG", "._a.png", ".cache/d.png", "b/.trash/e/f.png"),
        *(".unfinished-12-a.png", "note.txt", "a.png.part"),
    )
    for source in (images, images / "**" / "*"):
        assert names(plan_files(source, tmp_path / "out"), images) == ["a.png", "b/c.JPG"]


def test_a_hidden_folder_that_is_named_is_taken(tmp_path):
    images = make(tmp_path / ".hidden", "a.png", ".b/c.png")
    assert names(plan_files(images, tmp_path / "out"), images) == ["a.png"]
    assert names(plan_files(images / "*.png", tmp_path / "out"), images) == ["a.png"]


def test_linked_folders_are_walked_as_in_training(tmp_path):
    make(tmp_path / "elsewhere", "b.png")
    images = make(tmp_path / "in", "a.png")
    (images / "link").symlink_to(tmp_path / "elsewhere")
    (images / "ring").symlink_to(images)
    assert names(plan_files(images, tmp_path / "out"), images) == ["a.png", "link/b.png"]


@pytest.mark.parametrize("name", ["photos [2020]", "a[b", "x*y", "what?"])
def test_a_name_that_exists_is_no_pattern(tmp_path, name):
    images = make(tmp_path / name, "one[1].png", "below [x]/two.png")
    target = tmp_path / "out"
    assert names(plan_files(images, target), images) == ["below [x]/two.png", "one[1].png"]
    assert plan_files(images / "one[1].png", target) == [
        (images / "one[1].png", target / "one[1].png")
    ]
    assert names(plan_files(images / "*" / "*.png", target), images) == ["below [x]/two.png"]
    assert names(plan_files(images / "one[[]1].pn[a-z]", target), images) == ["one[1].png"]


def test_a_pattern_that_matches_nothing_says_what_it_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image at '.*no\[1\]\*\.png': expected a file"):
        plan_files(tmp_path / "no[1]*.png", tmp_path / "out")


def test_a_sheet_shows_images_beside_their_translations(tmp_path):
    model = Copying()
    model.channels = (3, 1)
    pairs = []
    for i in range(6):
        paths = [tmp_path / f"{i}{end}.png" for end in "ab"]
        Image.new("RGB", (20, 30), (40 * i, 0, 0)).save(paths[0])
        if i != 2:  # it wasn't translated
            Image.new("L", (20, 30), 255 - 40 * i).save(paths[1])
        pairs.append(paths)
    write_sheet(tmp_path / "sheet.png", model, pairs, side=60)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 60, 4 * 2 * 60, 3)
    assert sheet[30, 2 * 60 + 30].tolist() == [40, 0, 0]  # before
    assert sheet[30, 3 * 60 + 30].tolist() == [215] * 3  # after
    assert sheet[60 + 30, 30].tolist() == [200, 0, 0]  # the fifth of five
    assert (sheet[60:, 2 * 60 :] == 255).all()


def test_relative_sources_and_patterns(tmp_path, monkeypatch):
    make(tmp_path / "in", "a.png")
    monkeypatch.chdir(tmp_path)
    for source in ("in", "in/*.png", "i*/a.png", "./in/a.png"):
        ((path, into),) = plan_files(source, "out")
        assert path == Path("in/a.png")
        assert into == Path("out/in/a.png" if source == "i*/a.png" else "out/a.png")


def test_the_longest_name_that_a_disk_takes_is_written(tmp_path):
    for name in ("x" * 251 + ".png", "ä" * 125 + ".png"):
        images = make(tmp_path / "in", name)
    pairs = plan_files(images, tmp_path / "out")
    assert [error for _, _, error in translate_files(Copying(), pairs)] == [None, None]
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.listdir(images))


@pytest.mark.parametrize("target", ["file", "file/below"])
def test_a_target_that_is_a_file_is_noticed_before_any_translation(tmp_path, target):
    images = make(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file"):
        plan_files(images, tmp_path / target)


def test_an_image_that_cannot_be_written_is_named_and_the_rest_goes_on(tmp_path, monkeypatch):
    images = make(tmp_path / "in", "a.png", "b.png")
    save = Image.Image.save

    def full(image, path, **options):
        if "a.png" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(image, path, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    pairs = plan_files(images, tmp_path / "out")
    (_, into, error), (_, _, none) = translate_files(Copying(), pairs)
    assert str(error).startswith(f"Can't write {into}: ")
    assert "No space left on device" in str(error)
    assert none is None
    assert os.listdir(tmp_path / "out") == ["b.png"]


def test_a_direction_that_a_model_lacks_is_said_once(tmp_path):
    pairs = plan_files(make(tmp_path / "in", "a.png", "b.png"), tmp_path / "out")
    with pytest.raises(ValueError, match="only translates 'a_to_b'"):
        next(translate_files(Copying(), pairs, direction="b_to_a"))


def test_with_masks_an_image_stays_where_its_mask_is_black(tmp_path):
    images, masks = make(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "masks"
    masks.mkdir()
    levels = np.array([[0, 255], [51, 204]], "uint8")
    Image.fromarray(levels).save(masks / "a.png")
    Image.new("L", (3, 2)).save(masks / "a.1.png")  # of another image
    Image.new("L", (3, 2)).save(masks / "b.png")
    white = Copying()
    white.translate = lambda _: np.full((2, 2, 3), 200, "uint8")
    pairs = plan_files(images, tmp_path / "out")
    results = translate_files(white, pairs, masks=masks, side_by_side=True)
    (_, into, error), (*_, other_size), (*_, missing) = results
    assert error is None
    expected = np.round(200 * (levels / 255))[..., None].repeat(3, -1)  # of a black image
    np.testing.assert_array_equal(np.asarray(Image.open(into))[:, 2:], expected)
    assert "The mask has 2×3 pixels, the image 2×2." in str(other_size)
    assert f"there is no c.png in {masks}" in str(missing)
    assert os.listdir(tmp_path / "out") == ["a.png"]
