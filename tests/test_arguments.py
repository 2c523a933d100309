import json

import keras
import pytest

from keras_cyclegan import CycleGAN, losses, networks
from keras_cyclegan.arguments import Direction, check_direction


def test_a_direction_is_its_string():
    assert [str(direction) for direction in Direction] == ["a_to_b", "b_to_a"]
    assert json.loads(json.dumps({"direction": check_direction("b_to_a")})) == {
        "direction": "b_to_a"
    }
    assert {"a_to_b": 1}[Direction.A_TO_B] == 1


def test_a_direction_knows_its_domains_and_its_opposite():
    there, back = Direction
    assert (there.source, there.target, there.suffix, there.arrow) == ("a", "b", "ab", "A → B")
    assert (back.source, back.target, back.suffix, back.arrow) == ("b", "a", "ba", "B → A")
    assert (there.opposite, back.opposite) == (back, there)


@pytest.mark.parametrize("direction", ["ab", None, 0, ["a_to_b"], "A_TO_B"])
def test_what_is_no_direction_is_refused_with_the_two_that_are(direction):
    with pytest.raises(ValueError, match=r"one of 'a_to_b', 'b_to_a'\. Received direction="):
        check_direction(direction)


@pytest.fixture
def channels_first():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


@pytest.mark.parametrize("name", networks.__all__)
def test_networks_refuse_another_layout_of_images(channels_first, name):
    with pytest.raises(ValueError, match=r"'channels_first'\. Call `keras\.config\.set_image"):
        getattr(networks, name)((128, 128, 3))


@pytest.mark.parametrize(
    "make",
    [CycleGAN, lambda: CycleGAN.from_preset("glyphs"), lambda: losses.PerceptualLoss("vgg16")],
    ids=["model", "preset", "vgg16"],
)
def test_models_presets_and_features_refuse_another_layout_too(channels_first, make):
    with pytest.raises(ValueError, match=r"^The networks of keras_cyclegan take images as"):
        make()
