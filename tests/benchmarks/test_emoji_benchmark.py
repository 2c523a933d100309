"""The emoji benchmark: which pictures are one character, and who sees which."""

import keras
import numpy as np
import pytest
from PIL import Image
from support.plain_networks import plain_network
from support.step_inputs import NETWORKS

from keras_cyclegan import CycleGAN


@pytest.fixture
def emoji(script):
    return script("emoji")


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
    assert len(teachers) in (0, emoji.MOST_OF_ONE)


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


@pytest.fixture
def networks(script):
    return script("emoji_networks")


def ink_model(networks, ink):
    shape = (16, 16, 3)
    made = [plain_network(name) for name in NETWORKS]
    # Their discriminators give several maps.
    judges = [keras.Model(judge.input, [judge.output, 2.0 * judge.output]) for judge in made[2:]]
    model = networks.InkCycleGAN(*made[:2], *judges, image_shape=shape, pool_size=0)
    model.compile(identity_loss=None, run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 16, 4)).astype("float32")
    images[..., 3] = 2 * ink - 1
    real = model.unpack(tuple(images))
    losses, fakes = model.generator_losses(*real, training=False)
    judged = model.discriminator_losses(*real, *fakes, training=False)
    plain = CycleGAN.discriminator_losses(model, *real, *fakes, training=False)
    found = (losses, judged, plain)
    return [{name: float(value) for name, value in terms.items()} for terms in found]


def test_discriminators_judge_nothing_but_ink(networks):
    losses, judged, _ = ink_model(networks, np.zeros((16, 16)))
    for name in ("a", "b"):
        assert judged[f"discriminator_{name}"] == pytest.approx(0.0, abs=1e-7)
    assert losses["adversarial_ab"] == pytest.approx(0.0, abs=1e-7)
    assert losses["keep_a"] > 0
    _, judged, plain = ink_model(networks, np.ones((16, 16)))
    assert judged == pytest.approx(plain)
    assert min(plain.values()) > 0.1
    quarter = np.zeros((16, 16))
    quarter[:4] = 1.0  # and four pixels around it
    _, judged, plain = ink_model(networks, quarter)
    for name, value in judged.items():
        assert 0.2 * plain[name] < value < 0.8 * plain[name]
