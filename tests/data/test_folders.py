"""Which files are images, which side they are on, and what rides along."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan.data import from_unit, load
from keras_cyclegan.data.folders import find_split, hold_out, sort_files, walk_files


def write(path, value=0, size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, "uint8")).save(path, "PNG")


@pytest.fixture
def folder(tmp_path):
    for domain in "AB":
        for number in range(6):
            write(tmp_path / "set" / f"train{domain}" / f"{number}.png", 10 * number)
    return tmp_path / "set"


def test_names_that_are_not_utf8_are_images_too(folder, tmp_path):
    for name in (b"caf\xe9.png", "照片.png".encode("gbk")):
        with open(os.path.join(os.fsencode(folder / "trainA"), name), "wb") as file:
            Image.new("RGB", (20, 20)).save(file, "PNG")
    for limit in (10**9, 0):
        train, _ = load(
            folder, image_size=16, memory_limit=limit, cache_folder=tmp_path, validation_split=0.3
        )
        assert len(train) == 6


def test_names_are_shown_in_one_line(folder):
    (folder / "trainA" / "a\nb\x1b[31m.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="can't be used") as error:
        load(folder, image_size=16)
    assert "\x1b" not in str(error.value)
    assert "a\\nb\\x1b[31m.png" in str(error.value)


def test_files_of_other_kinds_are_left_out_and_counted(folder, caplog):
    for name in ("notes.txt", "anim.gif", "x.jp2", "y.jp2", "README"):
        (folder / "trainA" / name).write_bytes(b"x")
    for name in ("browser.jfif", "old.jpe", "none"):
        Image.new("RGB", (20, 20)).save(folder / "trainA" / name, "JPEG")
    train, _ = load(folder, image_size=16)
    assert len(train) == 9
    assert "left out 5 files: 2 of .jp2, " in caplog.text
    files, others = sort_files(walk_files(folder / "trainA"))
    assert len(files) == 9
    assert others == {".jp2": 2, ".gif": 1, ".txt": 1, "no suffix": 1}


def test_groups_stay_on_one_side(tmp_path):
    for patient in range(7):
        for number in range(4):
            write(tmp_path / f"p{patient}" / f"slice{number}.png")
    split = find_split(tmp_path)
    train, test = hold_out(split, 0.3, r"p(\d+)")
    sides = [{name.split(os.sep)[0] for name in side.names} for side in (train, test)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 7
    assert (train.count, test.count) == (20, 8)
    assert [name for name, _ in test.records()] == [str(tmp_path / name) for name in test.names]
    with pytest.raises(ValueError, match=r"matches nothing in p0.slice0\.png"):
        hold_out(split, 0.3, "q")
    with pytest.raises(ValueError, match=r"in 1 groups .*leaves no image"):
        hold_out(split, 0.3, "p")


def test_pages_of_a_file_stay_on_one_side(tmp_path):
    stacks = np.zeros((5, 3, 16, 16), "uint8")
    (tmp_path / "a").mkdir()
    for number, stack in enumerate(stacks):
        np.save(tmp_path / "a" / f"{number}.npy", stack)
    train, test = hold_out(find_split(tmp_path / "a", 1), 0.4)
    assert (train.count, test.count) == (9, 6)
    assert not {n[:5] for n in train.names} & {n[:5] for n in test.names}


def test_masks_and_pairs_ride_along_from_their_folders(folder):
    for number in range(6):
        write(folder / "maskA" / f"{number}.png", 255 if number % 2 else 0)
    for number in range(2):
        for domain in "AB":
            write(folder / f"pair{domain}" / f"{number}.png", 100 + number)
    train, validation = load(folder, image_size=16, seed=0, validation_split=0.5)
    assert set(train.element_spec) == {"a", "b", "mask_a", "pair_a", "pair_b"}
    assert set(validation.element_spec) == {"a", "b", "mask_a"}
    for batch in [*train, *validation]:
        number = from_unit(batch["a"].numpy())[0, 0, 0, 0] // 10
        assert (batch["mask_a"].numpy() == number % 2).all()
        if "pair_a" in batch:
            np.testing.assert_array_equal(batch["pair_a"], batch["pair_b"])
    (folder / "maskA" / "3.png").unlink()
    with pytest.raises(
        ValueError, match=r"maskA must hold a file for each.*Missing are 1 of .*: 3"
    ):
        load(folder, image_size=16)
    write(folder / "maskA" / "3.png")
    (folder / "pairB" / "1.png").unlink()
    with pytest.raises(ValueError, match=r"pairB must hold.*Missing are 1 of 2: 1"):
        load(folder, image_size=16)


def test_masks_are_not_interpolated_and_are_left_out_with_their_images(folder):
    for number in range(6):
        mask = np.zeros((20, 20), "uint8")
        mask[::2] = 255
        (folder / "maskB").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "maskB" / f"{number}.png")
    (folder / "trainB" / "2.png").write_bytes(b"x")
    with pytest.warns(UserWarning, match="Skipped 1 of 6"):
        train, _ = load(folder, image_size=32, on_error="skip")
    for batch in train:
        assert set(np.unique(batch["mask_b"])) == {0.0, 1.0}


def test_crop_draws_windows_of_the_whole_image(tmp_path):
    rows, columns = np.mgrid[0:100, 0:240]
    image = np.stack([rows, columns, 0 * rows], -1).astype("uint8")
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        Image.fromarray(image).save(tmp_path / f"train{domain}" / "0.png")
        Image.fromarray(image[:70, :90]).save(tmp_path / f"train{domain}" / "1.png")
    options = {"image_size": 32, "resize": "crop", "seed": 0, "flip": False}
    train, _ = load(tmp_path, steps_per_epoch=1500, **options)
    seen = np.concatenate([from_unit(a.numpy()) for a, _ in train])
    assert (seen[..., 0].min(), seen[..., 0].max()) == (0, 99)
    assert (seen[..., 1].min(), seen[..., 1].max()) == (0, 239)
    train, _ = load(tmp_path, steps_per_epoch=100, load_size=48, **options)
    seen = np.concatenate([from_unit(a.numpy()) for a, _ in train])
    assert (seen[..., 0].min(), seen[..., 0].max()) == (11, 73)  # of the centres only


def test_a_large_photo_is_taken_if_that_is_asked_for(folder):
    write(folder / "trainA" / "large.png", size=(60, 70))
    with pytest.raises(ValueError, match=r"large\.png has 60×70 = 4200 .*`max_pixels=4200`"):
        load(folder, image_size=16, max_pixels=4000)
    assert len(load(folder, image_size=16, max_pixels=4200)[0]) == 7
