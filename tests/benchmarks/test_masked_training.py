"""horse2zebra with generators that learn from animals alone."""

import types

import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import CycleConsistencyLoss
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

SHAPE = (16, 16, 3)


def judge(shape, name, **options):
    return PatchDiscriminator(shape, 2, num_layers=1, name=name)


def networks():
    ways, domains = ("generator_ab", "generator_ba"), ("discriminator_a", "discriminator_b")
    options = {"filters": 2, "num_blocks": 1, "input_skip": True}
    generators = [ResNetGenerator(SHAPE, **options, name=name) for name in ways]
    return [*generators, *(judge(SHAPE, name) for name in domains)]


@pytest.fixture
def model(script):
    model = script("horse2zebra_train").MaskedCycleGAN(*networks(), image_shape=SHAPE)
    model.compile(cycle_loss=CycleConsistencyLoss(weight=0.0), identity_loss=None, run_eagerly=True)
    return model


def batch(seed, mask):
    """Images with their mask, a number or an array in [0, 1], as the fourth channel."""
    images = np.random.default_rng(seed).uniform(-1, 1, (1, 16, 16, 4)).astype("float32")
    images[..., 3] = 2 * mask - 1
    return images


def losses(model, a, b):
    real_a, real_b = model.unpack((a, b))
    found, fakes = model.generator_losses(real_a, real_b, training=False)
    found |= model.discriminator_losses(real_a, real_b, *fakes, training=False)
    return {name: float(value) for name, value in found.items()}, fakes


def test_on_gray_discriminators_see_nothing_but_what_the_masks_leave(model):
    model.background = "gray"
    mask = np.zeros((16, 16))
    mask[4:10, 4:10] = 1
    a, b = batch(0, mask), batch(1, mask)
    elsewhere_a, elsewhere_b = batch(2, mask), batch(3, mask)
    elsewhere_a[0, 4:10, 4:10], elsewhere_b[0, 4:10, 4:10] = a[0, 4:10, 4:10], b[0, 4:10, 4:10]
    real = [model.unpack((x, y)) for x, y in ((a, b), (elsewhere_a, elsewhere_b))]
    _, fakes = losses(model, a, b)
    judged = [model.discriminator_losses(*pair, *fakes, training=False) for pair in real]
    for name in ("discriminator_a", "discriminator_b"):
        assert float(judged[0][name]) == float(judged[1][name])
    for fake in fakes:  # what the pools keep is masked too
        outside = np.asarray(fake)[0][mask == 0]
        np.testing.assert_array_equal(outside, np.zeros_like(outside))


def test_in_the_photo_discriminators_see_the_translated_animal_and_all_else_as_it_was(model):
    mask = np.zeros((16, 16))
    mask[4:10, 4:10] = 1
    a, b = batch(0, mask), batch(1, mask)
    real_a, real_b = model.unpack((a, b))
    found, (shown_a, shown_b) = losses(model, a, b)
    for shown, photo, generator, source in (
        (shown_b, real_a, model.generator_ab, real_a),
        (shown_a, real_b, model.generator_ba, real_b),
    ):
        shown, translated = np.asarray(shown), np.asarray(generator(source))
        np.testing.assert_array_equal(shown[0][mask == 0], photo[0][mask == 0])
        np.testing.assert_array_equal(shown[0][mask == 1], translated[0][mask == 1])
    # Real photos are judged whole, as a model without masks judges them.
    plain = CycleGAN.discriminator_losses(model, real_a, real_b, shown_a, shown_b, training=False)
    for name, value in plain.items():
        assert float(value) == pytest.approx(found[name])


def test_what_lies_outside_of_the_masks_is_kept(model):
    for mask in (0.0, 0.25, 1.0):
        a, b = batch(4, mask), batch(5, mask)
        found, _ = losses(model, a, b)
        for name, images, generator in (
            ("keep_a", a, model.generator_ab),
            ("keep_b", b, model.generator_ba),
        ):
            change = np.abs(np.asarray(generator(images[..., :3])) - images[..., :3]).mean()
            assert found[name] == pytest.approx(10.0 * (1 - mask) * change, rel=1e-4, abs=1e-6)


def test_a_step_trains_both_players(model):
    before = [np.asarray(variable).copy() for variable in model.trainable_variables]
    model.fit(batch(6, 0.5), batch(7, 0.5), batch_size=1, epochs=1, verbose=0)
    after = [np.asarray(variable) for variable in model.trainable_variables]
    moved = [np.any(new != old) for new, old in zip(after, before, strict=True)]
    assert np.mean(moved) > 0.5


def test_the_last_map_counts_as_often_as_told(script):
    train = script("horse2zebra_train")
    loss = train.PixelsCountMore()
    loss.times = 4
    maps = [np.full((1, 2, 2, 1), value, "float32") for value in (0.0, 0.5)]
    assert float(loss.generator(maps)) == pytest.approx((1.0 + 4 * 0.25) / 5)
    real = [np.ones_like(maps[0])] * 2
    assert float(loss.discriminator(real, maps)) == pytest.approx((0.0 + 4 * 0.125) / 5)


@pytest.mark.parametrize("new", [False, True])
def test_discriminators_go_on_unless_new_ones_are_asked_for(script, monkeypatch, new):
    train, start = script("horse2zebra_train"), CycleGAN(*networks(), image_shape=SHAPE)
    monkeypatch.setattr(train, "load_preset", lambda name: start)
    monkeypatch.setattr(train, "ProjectedDiscriminator", judge)
    model = train.build(
        types.SimpleNamespace(
            **{"init": "preset", "dtype": "float32", "crop": 16, "new_discriminators": new},
            **{"background": "photo", "keep_weight": 1.0, "cycle_weight": 1.0, "pixels": 1},
            **{"rate": 1e-4, "discriminator_share": 0.5, "ema": 0.9},
        )
    )
    for name in ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b"):
        pairs = zip(getattr(model, name).weights, getattr(start, name).weights, strict=True)
        same = all(np.array_equal(*pair) for pair in pairs)
        assert same == (not new or name.startswith("generator")), name
