"""Both players' losses, against torch's own functions and automatic gradients."""

import keras
import numpy as np
import pytest

from keras_cyclegan.losses import AdversarialLoss

torch = pytest.importorskip("torch", reason="parity is measured against torch")
functional = torch.nn.functional


def cross_entropy(logits, target):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


# By kind: the generator's loss and the discriminator's, of real and of translated images' logits.
EXPECTED = {
    "least_squares": (
        lambda r, f: functional.mse_loss(f, torch.ones_like(f)),
        lambda r, f: (((r - 1) ** 2).mean() + (f**2).mean()) / 2,
    ),
    "min_max": (
        lambda r, f: cross_entropy(f, 1.0),
        lambda r, f: (cross_entropy(r, 1.0) + cross_entropy(f, 0.0)) / 2,
    ),
    "min_max_saturating": (
        lambda r, f: torch.log(1 - torch.sigmoid(f)).mean(),
        lambda r, f: (cross_entropy(r, 1.0) + cross_entropy(f, 0.0)) / 2,
    ),
    "hinge": (
        lambda r, f: -f.mean(),
        lambda r, f: (torch.clamp(1 - r, min=0).mean() + torch.clamp(1 + f, min=0).mean()) / 2,
    ),
    "wasserstein": (lambda r, f: -f.mean(), lambda r, f: (f.mean() - r.mean()) / 2),
    "relativistic_average": (
        lambda r, f: (cross_entropy(f - r.mean(), 1.0) + cross_entropy(r - f.mean(), 0.0)) / 2,
        lambda r, f: (cross_entropy(r - f.mean(), 1.0) + cross_entropy(f - r.mean(), 0.0)) / 2,
    ),
}


def logits(seed, shape=(2, 3, 4, 1)):
    return 2 * np.random.RandomState(seed).standard_normal(shape).astype("float32")


def with_gradients(function, *arrays):
    """The value of a Keras function and its gradients, by TensorFlow."""
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    return float(value), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("kind", EXPECTED)
def test_values_and_gradients_equal_torch_s(kind, player):
    loss = AdversarialLoss(kind, weight=2.0)
    if player == "generator":
        function = lambda r, f: loss.generator(f, r if loss.needs_real else None)  # noqa: E731
    else:
        function = loss.discriminator
    value, gradients = with_gradients(function, logits(0), logits(1))

    tensors = [torch.tensor(logits(seed), requires_grad=True) for seed in (0, 1)]
    expected = 2 * EXPECTED[kind][player == "discriminator"](*tensors)
    expected.backward()
    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        wanted = np.zeros_like(gradient) if tensor.grad is None else tensor.grad.numpy()
        np.testing.assert_allclose(gradient, wanted, atol=1e-6)


@pytest.mark.parametrize("kind", EXPECTED)
def test_every_map_of_a_list_counts_by_its_mean(kind):
    loss = AdversarialLoss(kind)
    reals = [logits(0), logits(1, (2, 1, 2, 1))]
    fakes = [logits(2), logits(3, (2, 1, 2, 1))]
    pairs = list(zip(reals, fakes, strict=True))
    together = float(loss.discriminator(reals, fakes)), float(loss.generator(fakes, reals))
    apart = [
        (float(loss.discriminator(real, fake)), float(loss.generator(fake, real)))
        for real, fake in pairs
    ]
    np.testing.assert_allclose(together, np.mean(apart, axis=0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["least_squares", "min_max", "min_max_saturating"])
def test_smoothed_labels_move_the_target_of_real_images_only(kind):
    plain, smooth = AdversarialLoss(kind), AdversarialLoss(kind, label_smoothing=0.1)
    real, fake = torch.tensor(logits(0)), torch.tensor(logits(1))
    if kind == "least_squares":
        expected = (((real - 0.9) ** 2).mean() + (fake**2).mean()) / 2
    else:
        expected = (cross_entropy(real, 0.9) + cross_entropy(fake, 0.0)) / 2
    assert float(smooth.discriminator(logits(0), logits(1))) == pytest.approx(float(expected))
    assert float(smooth.generator(logits(1))) == float(plain.generator(logits(1)))


def test_a_relativistic_generator_asks_for_real_images():
    loss = AdversarialLoss("relativistic_average")
    assert loss.needs_real
    assert not AdversarialLoss("hinge").needs_real
    with pytest.raises(ValueError, match="needs `real_logits`"):
        loss.generator(logits(0))


def test_losses_are_float32_of_lower_precision_and_finite_at_extremes():
    for kind in EXPECTED:
        loss = AdversarialLoss(kind)
        half = keras.ops.cast(logits(0), "bfloat16")
        assert loss.discriminator(half, half).dtype == "float32"
        extreme = np.array([[[[1e4]], [[-1e4]]]], "float32")
        assert np.isfinite(float(loss.discriminator(extreme, -extreme)))
        assert np.isfinite(float(loss.generator(extreme, -extreme)))


@pytest.mark.parametrize("kind", EXPECTED)
def test_config_round_trip(kind):
    smoothing = 0.1 if kind in AdversarialLoss.with_targets else 0.0
    loss = AdversarialLoss(kind, 0.5, label_smoothing=smoothing, name="mine", reduction="sum")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert copy.get_config() == loss.get_config()
    assert copy.label_smoothing == smoothing


def test_the_last_of_several_maps_has_a_weight_for_both_players():
    maps = [np.full((1, 2, 2, 1), value, "float32") for value in (0.0, 3.0)]
    loss = AdversarialLoss(last_map_weight=3.0)
    np.testing.assert_allclose(loss.generator(maps), (1 + 3 * 4) / 2)
    np.testing.assert_allclose(loss.discriminator(maps, maps), (0.5 + 3 * 0.5 * (4 + 9)) / 2)
    np.testing.assert_allclose(loss.generator(maps[1]), 4)  # one map is the whole verdict
    assert AdversarialLoss.from_config(loss.get_config()).last_map_weight == 3.0
