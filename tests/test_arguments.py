import json

import pytest

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
