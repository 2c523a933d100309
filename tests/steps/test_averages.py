"""Running averages of the generators: what they are, and what uses them."""

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import generator_losses
from support.plain_networks import plain_network
from support.presets_helpers import have_same_weights, weights_of

from keras_cyclegan import CycleGAN
from keras_cyclegan.arguments import Direction
from keras_cyclegan.data import PixelFormat, from_unit, to_unit
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.scores.evaluate import translate_all
from keras_cyclegan.training.sample_grid import sample_grid

SHAPE = (16, 16, 3)
IMAGES_A, IMAGES_B = np.random.default_rng(0).uniform(-1, 1, (2, 4, *SHAPE)).astype("float32")


def make_model(seed=0, dropout=0.0, **arguments):
    keras.utils.set_random_seed(seed)
    networks = {
        # Dropout is a part of residual blocks.
        "generator_ab": ResNetGenerator(SHAPE, 3, 4, num_blocks=int(dropout > 0), dropout=dropout),
        "generator_ba": ResNetGenerator(SHAPE, 3, 4, num_blocks=0, affine_norm=True),
        "discriminator_a": plain_network("discriminator_a"),
        "discriminator_b": plain_network("discriminator_b"),
    }
    model = CycleGAN(**networks, image_shape=SHAPE, pool_size=2)
    optimizers = [keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05)]
    model.compile(*optimizers, **{"run_eagerly": True, **arguments})
    return model


def train(model, steps):
    """The trained weights of both generators after each step."""
    history = []
    for _ in range(steps):
        model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2])
        history.append([weights_of(model.generator_ab), weights_of(model.generator_ba)])
    return history


@pytest.fixture(scope="module")
def averaged():
    model = make_model(ema_momentum=0.6)
    train(model, 3)
    assert not have_same_weights(model.average_ab, model.generator_ab)
    return model


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_averages_are_running_means_of_the_weights_after_each_step(run_eagerly):
    model = make_model(ema_momentum=0.15, run_eagerly=run_eagerly)
    history = train(model, 5)
    for way, average in enumerate((model.average_ab, model.average_ba)):
        expected = [np.zeros_like(w) for w in history[0][way]]
        for step, weights in enumerate(history):
            keep = min(0.15, step / (step + 10))  # the first step copies
            pairs = zip(expected, weights[way], strict=True)
            expected = [keep * mean + (1 - keep) * new for mean, new in pairs]
        for mean, new in zip(weights_of(average), expected, strict=True):
            np.testing.assert_allclose(mean, new, rtol=0, atol=1e-6)
    assert not have_same_weights(model.average_ab, model.generator_ab)


def test_averages_leave_the_trained_weights_as_they_would_be():
    with_averages, without = make_model(ema_momentum=0.9), make_model()
    train(with_averages, 3), train(without, 3)
    for name in ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b"):
        assert have_same_weights(getattr(with_averages, name), getattr(without, name))
    assert without.average_ab is None
    assert len(with_averages.trainable_variables) == len(without.trainable_variables)


def test_step_left_out_by_loss_scaling_leaves_the_averages_at_the_weights():
    keras.utils.set_random_seed(0)
    options = {"filters": 4, "num_blocks": 0, "dtype": "mixed_float16"}
    judges = {"filters": 4, "num_layers": 1, "dtype": "mixed_float16"}
    model = CycleGAN(
        *(ResNetGenerator(SHAPE, **options) for _ in range(2)),
        *(PatchDiscriminator(SHAPE, **judges) for _ in range(2)),
        image_shape=SHAPE,
    )
    model.compile(ema_momentum=0.9, run_eagerly=True)
    model.optimizer.dynamic_scale.assign(3e38)  # gradients overflow
    before = weights_of(model.generator_ab)
    model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2])
    assert int(model.optimizer.iterations) == 0
    for mean, new in zip(weights_of(model.average_ab), before, strict=True):
        np.testing.assert_array_equal(mean, new)


def test_all_that_translates_uses_the_averages(averaged):
    expected_b = keras.ops.convert_to_numpy(averaged.average_ab(IMAGES_A, training=False))
    expected_a = keras.ops.convert_to_numpy(averaged.average_ba(IMAGES_B, training=False))
    trained_b = keras.ops.convert_to_numpy(averaged.generator_ab(IMAGES_A, training=False))
    assert np.abs(expected_b - trained_b).max() > 1e-3
    close = {"rtol": 0, "atol": 1e-5}
    np.testing.assert_allclose(averaged.translate(IMAGES_A), expected_b, **close)
    np.testing.assert_allclose(averaged.translate(IMAGES_B, "b_to_a"), expected_a, **close)
    np.testing.assert_allclose(averaged.predict(IMAGES_A, verbose=0), expected_b, **close)
    back = keras.ops.convert_to_numpy(averaged.average_ba(expected_b, training=False))
    np.testing.assert_allclose(averaged.reconstruct(IMAGES_A), back, **close)

    plain = CycleGAN(averaged.average_ab, averaged.average_ba, None, None, image_shape=SHAPE)
    np.testing.assert_array_equal(
        sample_grid(averaged, IMAGES_A, IMAGES_B), sample_grid(plain, IMAGES_A, IMAGES_B)
    )
    scores = averaged.evaluate(IMAGES_A, IMAGES_B, verbose=0, return_dict=True)
    assert scores["cycle_a"] == pytest.approx(10 * np.abs(back - IMAGES_A).mean(), rel=1e-4)


def test_evaluation_scores_the_averages_there_and_back(averaged):
    pixels = from_unit(IMAGES_A)
    plain = CycleGAN(averaged.average_ab, averaged.average_ba, None, None, image_shape=SHAPE)
    formats = {"a": PixelFormat(), "b": PixelFormat()}
    found, expected = (
        translate_all(model, pixels, Direction("a_to_b"), formats) for model in (averaged, plain)
    )
    np.testing.assert_array_equal(found.cycle_error, expected.cycle_error)


def test_training_uses_the_trained_weights(averaged):
    _, (_, fake_b) = generator_losses(averaged, IMAGES_A, IMAGES_B, training=True)
    trained_b = averaged.generator_ab(IMAGES_A, training=True)
    np.testing.assert_allclose(fake_b, trained_b, rtol=0, atol=1e-5)


def test_export_and_preset_hold_the_averages(averaged, tmp_path):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() == "tensorflow":
        averaged.export(tmp_path / "served", direction="a_to_b")
        served = tf.saved_model.load(str(tmp_path / "served"))
        pixels = from_unit(IMAGES_A)
        expected = from_unit(averaged.average_ab(to_unit(pixels), training=False).numpy())
        found = served.a_to_b(pixels).numpy()
        assert np.abs(found.astype(int) - expected).max() <= 1

    averaged.save_to_preset(tmp_path / "preset")
    preset = CycleGAN.from_preset(str(tmp_path / "preset"))
    assert preset.ema_momentum is None
    assert have_same_weights(preset.generator_ab, averaged.average_ab)
    assert have_same_weights(preset.generator_ba, averaged.average_ba)
    assert have_same_weights(preset.discriminator_a, averaged.discriminator_a)


@pytest.mark.parametrize("compile", [True, False])
def test_model_file_holds_both_kinds_of_weights(averaged, tmp_path, compile):
    averaged.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", compile=compile)
    for name in ("generator_ab", "generator_ba", "average_ab", "average_ba"):
        assert have_same_weights(getattr(copy, name), getattr(averaged, name))
    np.testing.assert_array_equal(copy.translate(IMAGES_A), averaged.translate(IMAGES_A))
    assert type(copy.average_ab) is ResNetGenerator


def test_reloaded_model_averages_on_as_if_it_had_never_stopped(tmp_path):
    whole = make_model(ema_momentum=0.9)
    train(whole, 2)
    whole.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    train(whole, 2), train(copy, 2)
    assert have_same_weights(copy.average_ab, whole.average_ab)


def test_compiling_without_averages_again_leaves_them_unused():
    model = make_model(ema_momentum=0.9)
    train(model, 2)
    model.compile(run_eagerly=True)
    expected = model.generator_ab(IMAGES_A, training=False)
    np.testing.assert_allclose(model.translate(IMAGES_A), expected, rtol=0, atol=1e-5)


def test_dropout_works_beside_averages():
    model = make_model(dropout=0.5, ema_momentum=0.9)
    train(model, 1)
    np.testing.assert_array_equal(model.translate(IMAGES_A), model.translate(IMAGES_A))


@pytest.mark.parametrize("momentum", [0.0, 1.0, 1.5, -0.1])
def test_momentum_outside_of_its_range_is_refused(momentum):
    with pytest.raises(ValueError, match=f"between 0 and 1.*Received {momentum}"):
        make_model(ema_momentum=momentum)
