"""What one step of CycleGAN minimises, and which network each term reaches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    NETWORKS,
    array,
    assert_same_state,
    compiled,
    discriminator_losses,
    fit,
    generator_losses,
    make_model,
    make_plain_model,
    on_tensorflow,
    sgd,
    weights,
)

from keras_cyclegan.losses import AdversarialLoss, GradientPenalty, PerceptualLoss


@on_tensorflow
@pytest.mark.parametrize("term", ["cycle_a", "cycle_b"])
def test_cycle_term_reaches_both_generators(term):
    model = compiled()
    with tf.GradientTape() as tape:
        losses, _ = generator_losses(model, IMAGES_A[:1], IMAGES_B[:1], training=True)
        loss = losses[term]
    for gradients in tape.gradient(
        loss, [model.generator_ab.trainable_variables, model.generator_ba.trainable_variables]
    ):
        kernels = [gradient for gradient in gradients if len(gradient.shape) == 4]
        assert all(np.abs(gradient).max() > 1e-6 for gradient in kernels)


def test_perceptual_term_compares_images_with_their_round_trips():
    images = keras.Input((None, None, 3))
    features = keras.Model(images, keras.layers.Conv2D(4, 3)(images))
    model = compiled(perceptual_loss=PerceptualLoss(features, weight=2.0), weight_b=3.0)
    losses, _ = generator_losses(model, IMAGES_A[:2], IMAGES_B[:2], training=False)
    for name, real, first, second, weight in (
        ("perceptual_a", IMAGES_A[:2], model.generator_ab, model.generator_ba, 2.0),
        ("perceptual_b", IMAGES_B[:2], model.generator_ba, model.generator_ab, 6.0),
    ):
        squares = np.square(features(real).numpy() - features(second(first(real))).numpy())
        np.testing.assert_allclose(losses[name], weight * squares.mean(), rtol=1e-4)
    logs = model.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=1, verbose=0).history
    assert logs["perceptual_a"][0] > 0
    assert not any(variable is w for w in features.weights for variable in model.weights)


@on_tensorflow
def test_adversarial_and_identity_terms_reach_their_own_generator_only():
    model = compiled()
    own = {
        "adversarial_ab": "generator_ab",
        "identity_b": "generator_ab",
        "adversarial_ba": "generator_ba",
        "identity_a": "generator_ba",
    }
    with tf.GradientTape(persistent=True) as tape:
        losses, _ = generator_losses(model, IMAGES_A[:1], IMAGES_B[:1], training=True)
    for term, owner in own.items():
        for name in ("generator_ab", "generator_ba"):
            kernels = [w for w in getattr(model, name).trainable_variables if len(w.shape) == 4]
            gradients = tape.gradient(losses[term], kernels)
            reached = [g is not None and bool(np.abs(g).max() > 1e-7) for g in gradients]
            assert reached == [name == owner] * len(kernels), (term, name)


@pytest.mark.backend
def test_generator_terms_are_those_of_the_networks_called_apart():
    """The identity and the translation share one call of a generator; the result can't change."""
    model = compiled(weight_a=2.0, weight_b=3.0)
    a, b = IMAGES_A[:2], IMAGES_B[:2]
    losses, (fake_a, fake_b) = generator_losses(model, a, b, training=True)
    np.testing.assert_allclose(array(fake_b), array(model.generator_ab(a)), atol=1e-5)
    np.testing.assert_allclose(array(fake_a), array(model.generator_ba(b)), atol=1e-5)
    expected = {
        "adversarial_ab": np.mean((array(model.discriminator_b(fake_b)) - 1) ** 2),
        "adversarial_ba": np.mean((array(model.discriminator_a(fake_a)) - 1) ** 2),
        "cycle_a": 2 * 10 * np.mean(np.abs(array(model.generator_ba(fake_b)) - a)),
        "cycle_b": 3 * 10 * np.mean(np.abs(array(model.generator_ab(fake_a)) - b)),
        "identity_a": 2 * 5 * np.mean(np.abs(array(model.generator_ba(a)) - a)),
        "identity_b": 3 * 5 * np.mean(np.abs(array(model.generator_ab(b)) - b)),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-5), name


@pytest.mark.backend
def test_discriminator_term_is_half_of_real_and_half_of_fake():
    model = compiled()
    a, b = IMAGES_A[:2], IMAGES_B[:2]
    losses = discriminator_losses(model, a, b, 0.5 * a, 0.5 * b, training=True)
    for name, real in (("discriminator_a", a), ("discriminator_b", b)):
        judge = getattr(model, name)
        expected = np.mean((array(judge(real)) - 1) ** 2) + np.mean(array(judge(0.5 * real)) ** 2)
        assert float(losses[name]) == pytest.approx(expected / 2, rel=1e-5)


def test_discriminators_see_the_fakes_made_before_the_update():
    model = compiled(make_model(pool_size=0), **sgd())
    before = model.generator_ab(IMAGES_A[:2]), model.generator_ba(IMAGES_B[:2])
    seen = watch_fakes(model)
    model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2])
    np.testing.assert_allclose(seen[0]["b"], before[0], atol=1e-5)
    np.testing.assert_allclose(seen[0]["a"], before[1], atol=1e-5)
    assert np.abs(model.generator_ab(IMAGES_A[:2]) - before[0]).max() > 1e-3


def test_discriminators_see_older_fakes_of_their_own_domain_through_the_pools():
    model = compiled(make_model(pool_size=1), **sgd())
    seen, made = watch_fakes(model), []
    for i in range(6):
        a, b = IMAGES_A[i : i + 1], IMAGES_B[i : i + 1]
        made.append({"a": array(model.generator_ba(b)), "b": array(model.generator_ab(a))})
        model.train_on_batch(a, b)
    for domain in ("a", "b"):
        ages = []
        for step, fakes in enumerate(seen):
            distances = [np.abs(fakes[domain] - old[domain]).max() for old in made[: step + 1]]
            assert min(distances) < 1e-5, "a discriminator was shown what no generator made"
            ages.append(step - int(np.argmin(distances)))
        assert ages[0] == 0
        assert any(ages), "no fake came out of the pool"


def watch_fakes(model):
    """Record what the discriminators are given as fakes."""
    seen, original = [], model.game

    def record(batch, fakes, training=True):
        seen.append({domain: array(images) for domain, images in fakes.items()})
        return original(batch, fakes, training)

    model.game = record
    return seen


@pytest.mark.backend
def test_generator_update_leaves_the_discriminators_alone():
    frozen = keras.optimizers.SGD(0.0)
    model = compiled(generator_optimizer=keras.optimizers.SGD(0.01), discriminator_optimizer=frozen)
    before = {name: weights(model, name) for name in NETWORKS}
    model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2])
    for name in NETWORKS:
        moved = any(
            np.abs(new - old).max() > 1e-5
            for new, old in zip(weights(model, name), before[name], strict=True)
        )
        assert moved == name.startswith("generator"), name


def test_xla_and_eager_steps_agree():
    """With the pools still filling: XLA draws other random numbers than TensorFlow's kernels."""
    real = ("generator_ab", "discriminator_a")  # one of a kind: XLA takes long for each
    models = [make_plain_model(pool_size=6, real=real) for _ in range(2)]
    models[0].compile(**sgd(), jit_compile=True)
    models[1].compile(**sgd(), run_eagerly=True)
    histories = [fit(model).history for model in models]
    assert models[0].jit_compile is True
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-4), name
    assert_same_state(*models, atol=1e-4)


@pytest.mark.parametrize(
    "kind",
    [
        *("min_max", "hinge", "relativistic_average"),
        pytest.param("wasserstein", marks=pytest.mark.backend),
    ],
)
def test_each_game_trains_with_its_penalty(kind):
    penalty = GradientPenalty("wgan_gp" if kind == "wasserstein" else "r1", every=2)
    model = compiled(make_plain_model(), adversarial_loss=kind, gradient_penalty=penalty)
    history = fit(model).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert history["penalty_a"][0] > 0

    a, b, game = IMAGES_A[:1], IMAGES_B[:1], AdversarialLoss(kind)
    judge = model.discriminator_b
    losses, (_, fake_b) = generator_losses(model, a, b, training=False)
    expected = game.generator(judge(fake_b), judge(b))
    assert array(losses["adversarial_ab"]) == pytest.approx(float(array(expected)), rel=1e-4)
    losses = discriminator_losses(model, a, b, 0.5 * a, 0.5 * b, training=False)
    expected = game.discriminator(judge(b), judge(0.5 * b))
    assert array(losses["discriminator_b"]) == pytest.approx(float(array(expected)), rel=1e-4)


def test_wasserstein_loss_without_a_penalty_is_refused():
    with pytest.raises(ValueError, match="gradient_penalty"):
        make_model().compile(adversarial_loss="wasserstein")
