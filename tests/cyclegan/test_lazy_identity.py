"""An identity loss that is computed every few steps."""

import numpy as np
import pytest
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    NETWORKS,
    make_model,
    make_plain_model,
    sgd,
    weights,
)

from keras_cyclegan.losses import IdentityLoss

pytestmark = pytest.mark.backend


def step(model):
    """One more step; returns its losses."""
    model.reset_metrics()
    logs = model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2], return_dict=True)
    return {name: float(value) for name, value in logs.items()}


def test_lazy_identity_is_a_heavier_one_now_and_then_and_none_between():
    lazy, plain = make_plain_model(), make_plain_model()
    # Eager where it can be: each step of the plain model has another objective.
    lazy.compile(**sgd(), identity_loss=IdentityLoss(weight=2.0, every=2), run_eagerly=False)
    for turn in range(3):
        found = step(lazy)
        due = turn % 2 == 0
        # At weight 0 the term is computed, and its gradient is 0.
        identity = IdentityLoss(weight=4.0 if due else 0.0)
        plain.compile(**sgd(), identity_loss=identity, run_eagerly=True)
        expected = step(plain)
        assert (found["identity_a"] > 0) == (found["identity_b"] > 0) == due
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-4), name
    # Of compiled and eager steps, between which JAX rounds otherwise, and signs of L1 flip.
    for name in NETWORKS:
        for one, other in zip(weights(lazy, name), weights(plain, name), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-3, err_msg=name)


def test_validation_has_the_whole_term_at_its_own_weight():
    losses = []
    for every in (1, 4):
        model = make_plain_model()
        model.compile(identity_loss=IdentityLoss(every=every), run_eagerly=True)
        logs = model.test_on_batch(IMAGES_A[:2], IMAGES_B[:2], return_dict=True)
        losses.append([float(logs[name]) for name in ("identity_a", "identity_b")])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


@pytest.mark.parametrize("every", [0, 1.5])
def test_steps_between_are_a_count(every):
    with pytest.raises(ValueError, match=f"every={every}"):
        make_model().compile(identity_loss=IdentityLoss(every=every))
