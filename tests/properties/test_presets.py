"""Networks of any kind and size survive their preset."""

import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.cyclegan_helpers import on_tensorflow
from support.properties import examples

from keras_cyclegan import CycleGAN, networks

pytestmark = on_tensorflow
few = st.integers(1, 3)


@st.composite
def generators(draw, inputs, outputs, side):
    shape = (side, side, inputs)
    kinds = ["resnet", *["unet"] * (side == 32), *["attention"] * (inputs == outputs)]
    kind = draw(st.sampled_from(kinds))
    if kind == "resnet":
        return networks.ResNetGenerator(
            shape,
            outputs,
            filters=draw(few),
            num_blocks=draw(st.integers(0, 2)),
            upsampling=draw(st.sampled_from(("transposed", "resize"))),
        )
    if kind == "unet":
        return networks.UNetGenerator(shape, outputs, filters=draw(few), num_downsamplings=5)
    return networks.AttentionGenerator(shape, filters=4 * draw(few), num_blocks=1)


@st.composite
def models(draw):
    channels_a, channels_b = draw(st.sampled_from(((3, 3), (3, 1), (1, 3), (2, 5))))
    side = 16 * draw(few)
    parts = {
        "generator_ab": draw(generators(channels_a, channels_b, side)),
        "generator_ba": draw(st.none() | generators(channels_b, channels_a, side)),
        "discriminator_a": None,
        "discriminator_b": None,
    }
    if draw(st.booleans()):
        for name, channels in (("discriminator_a", channels_a), ("discriminator_b", channels_b)):
            parts[name] = networks.PatchDiscriminator(
                (side, side, channels), filters=draw(few), num_layers=draw(few)
            )
    if parts["generator_ba"] is None or parts["discriminator_a"] is None:
        parts["discriminator_a"] = parts["discriminator_b"] = None
    return CycleGAN(**parts, image_shape=(side, side, channels_a), pool_size=draw(few))


@examples(3, many=60)
@given(model=models(), half=st.booleans(), seed=st.integers(0, 2**31))
def test_a_preset_brings_back_networks_weights_and_what_they_say(tmp_path, model, half, seed):
    random = np.random.default_rng(seed)
    names = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
    there = {name: getattr(model, name) for name in names if getattr(model, name) is not None}
    for network in there.values():
        for weight in network.weights:
            # What half precision can hold, so that it must come back as it was.
            drawn = random.normal(0, 0.1, weight.shape).astype("float16")
            weight.assign(drawn.astype("float32"))
    model.save_to_preset(tmp_path / "mine", half_precision=half)
    loaded = CycleGAN.from_preset(tmp_path / "mine")
    assert loaded.image_shape == model.image_shape
    for name in names:
        mine, theirs = getattr(model, name), getattr(loaded, name)
        assert (mine is None) == (theirs is None), name
        if mine is None:
            continue
        assert type(theirs) is type(mine)
        assert theirs.get_config() == mine.get_config()
        for one, two in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two, err_msg=name)
        image = random.uniform(-1, 1, (1, *model.image_shape[:2], mine.input_shape[-1]))
        outputs = [
            keras.tree.flatten(network(image.astype("float32"))) for network in (mine, theirs)
        ]
        for one, two in zip(*outputs, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=name)
    keras.backend.clear_session()
