"""The emoji benchmark: which pictures are one character, and who sees which."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def emoji(script):
    return script("presets/emoji")


def draw(folder, names, level):
    folder.mkdir()
    for index, name in enumerate(names):
        pixels = np.zeros((64, 64, 4), "uint8")
        pixels[16:48, 16:48] = (level, index, 7, 255)
        Image.fromarray(pixels).save(folder / f"{name}.png")


def test_tones_genders_and_directions_are_one_character(emoji):
    runner = ["1f3c3", "1f3c3-1f3fb", "1f3c3-1f3ff-200d-2640-fe0f", "1f3c3-200d-27a1-fe0f"]
    teacher = ["1f468-1f3fb-200d-1f3eb", "1f469-200d-1f3eb", "1f9d1-200d-1f3eb"]
    others = ["1f3fb", "1f3fc", "0023-fe0f-20e3", "002a-fe0f-20e3", "1f600"]
    groups = emoji.characters([*others, *teacher, *runner])
    assert sorted(groups.values()) == sorted([runner, teacher, *([name] for name in others)])


def test_no_character_is_in_two_parts_and_pictures_drawn_twice_are_used_once(
    emoji, tmp_path, monkeypatch
):
    monkeypatch.setattr(emoji, "TEST", 5)
    monkeypatch.setattr(emoji, "VALIDATION", 3)
    names = [f"1f4{i:02x}" for i in range(30)] + [f"1f9d1-1f3f{c}-200d-1f3eb" for c in "bcdef"]
    draw(tmp_path / "a", [*names, "1f600"], 200)
    draw(tmp_path / "b", [*names, "1f601"], 90)  # the last of each isn't the other's
    # A flag that the first hand draws like another one.
    (tmp_path / "a" / "1f41d.png").write_bytes((tmp_path / "a" / "1f401.png").read_bytes())
    parts = emoji.split([tmp_path / "a", tmp_path / "b"])
    of = {name: codes for codes, group in emoji.characters(names).items() for name in group}
    seen = [of[name] for part in parts.values() for name in {of[n]: n for n in part}.values()]
    assert len(seen) == len(set(seen)) == 30
    assert ("1f401",) in seen
    assert ("1f41d",) not in seen
    assert [len(parts[key]) for key in ("test", "validation")] == [5, 3]
    teachers = [n for part in ("train_a", "train_b") for n in parts[part] if len(n) > 5]
    assert len(teachers) in (0, emoji.MAX_OF_ONE)


def test_transparent_is_white_and_other_sizes_are_refused(emoji, tmp_path):
    draw(tmp_path / "a", ["1f600"], 200)
    image = emoji.on_white(tmp_path / "a", ["1f600"])[0]
    np.testing.assert_array_equal(image[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(image[32, 32], [200, 0, 7])
    Image.new("RGBA", (72, 72)).save(tmp_path / "a" / "1f601.png")
    with pytest.raises(ValueError, match=r"64×64.*1f601.*72"):
        emoji.on_white(tmp_path / "a", ["1f601"])


def test_folders_without_a_common_picture_are_refused(emoji, tmp_path):
    draw(tmp_path / "a", ["1f600"], 200)
    draw(tmp_path / "b", ["1f601"], 200)
    with pytest.raises(FileNotFoundError, match="share no name"):
        emoji.split([tmp_path / "a", tmp_path / "b"])


def test_folders_to_train_on_have_the_opacity_as_masks(emoji, tmp_path):
    names = ["1f600", "1f601"]
    draw(tmp_path / "a", names, 200)
    draw(tmp_path / "b", names, 90)
    parts = {"train_a": names[:1], "train_b": names[1:], "validation": [], "test": names[:1]}
    emoji.write([tmp_path / "a", tmp_path / "b"], parts, tmp_path / "data")
    written = {str(path.relative_to(tmp_path / "data")) for path in tmp_path.glob("data/*/*")}
    assert written == {
        *("trainA/1f600.png", "maskA/1f600.png", "trainB/1f601.png", "maskB/1f601.png"),
        *("testA/1f600.png", "testB/1f600.png", "maskB/1f600.png"),
    }
    mask = np.asarray(Image.open(tmp_path / "data/maskB/1f601.png"))
    assert (mask[0, 0], mask[32, 32]) == (0, 255)
