import keras
import numpy as np
import pytest

from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss, IdentityLoss

LOGITS = np.array([-3.0, -0.5, 0.0, 2.0], "float32").reshape(1, 2, 2, 1)
REAL = np.array([[0.5, -1.0], [0.25, 0.0]], "float32").reshape(1, 2, 2, 1)
SHOWN = np.array([[0.0, 1.0], [0.25, -0.5]], "float32").reshape(1, 2, 2, 1)


def value(loss):
    return float(keras.ops.convert_to_numpy(loss))


@pytest.mark.parametrize("wanted", [0, 1])
def test_least_squares_is_the_mean_squared_distance_to_the_wanted_verdict(wanted):
    loss = value(AdversarialLoss("least_squares")(wanted, LOGITS))
    assert loss == pytest.approx(np.mean((LOGITS - wanted) ** 2))


@pytest.mark.parametrize("wanted", [0, 1])
def test_min_max_is_the_cross_entropy_of_logits(wanted):
    chance = 1 / (1 + np.exp(-LOGITS))
    expected = -np.mean(np.log(chance if wanted else 1 - chance))
    assert value(AdversarialLoss("min_max")(wanted, LOGITS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("wanted", [0, 1])
def test_min_max_stays_finite_at_extreme_logits(wanted):
    logits = np.array([[-1e4], [1e4]], "float32")
    assert value(AdversarialLoss("min_max")(wanted, logits)) == pytest.approx(5e3)


def test_adversarial_loss_takes_targets_of_the_logits_shape():
    targets = np.array([0, 1, 1, 0], "float32").reshape(LOGITS.shape)
    assert value(AdversarialLoss()(targets, LOGITS)) == pytest.approx(
        np.mean((LOGITS - targets) ** 2)
    )


@pytest.mark.parametrize(
    ("loss_class", "weight"), [(CycleConsistencyLoss, 10.0), (IdentityLoss, 5.0)]
)
def test_distances_are_means_over_pixels_times_the_paper_weight(loss_class, weight):
    assert value(loss_class()(REAL, SHOWN)) == pytest.approx(weight * np.abs(REAL - SHOWN).mean())
    squares = np.square(REAL - SHOWN).mean()
    assert value(loss_class("l2")(REAL, SHOWN)) == pytest.approx(weight * squares)
    assert value(loss_class(weight=1.5)(REAL, SHOWN)) == pytest.approx(
        1.5 * np.abs(REAL - SHOWN).mean()
    )


def test_adversarial_weight_scales_the_loss():
    assert value(AdversarialLoss(weight=3)(1, LOGITS)) == pytest.approx(
        3 * value(AdversarialLoss()(1, LOGITS))
    )


@pytest.mark.parametrize(
    "loss",
    [
        AdversarialLoss("min_max", weight=2.0, name="a", reduction="sum"),
        CycleConsistencyLoss("l2", weight=3.0, name="c", reduction=None),
        IdentityLoss("l2", weight=0.0, name="i"),
    ],
)
def test_config_round_trip(loss):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    assert (copy.name, copy.weight, copy.reduction) == (loss.name, loss.weight, loss.reduction)
    np.testing.assert_array_equal(copy(REAL, SHOWN), loss(REAL, SHOWN))


def test_losses_are_computed_in_float32_from_lower_precision():
    half = keras.ops.cast(SHOWN, "bfloat16")
    for loss in (CycleConsistencyLoss(), IdentityLoss()):
        assert loss(REAL, half).dtype == "float32"
    assert AdversarialLoss()(1, half).dtype == "float32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdversarialLoss("wgan"), "'least_squares', 'min_max'.*Received kind='wgan'"),
        (lambda: CycleConsistencyLoss("l3"), "'l1', 'l2'.*Received norm='l3'"),
        (lambda: IdentityLoss(weight=-1), "weight=-1"),
        (lambda: IdentityLoss(weight=float("nan")), "weight=nan"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_given(make, message):
    with pytest.raises(ValueError, match=message):
        make()
