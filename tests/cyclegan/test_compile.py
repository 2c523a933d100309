"""What `compile` chooses: the paper's recipe, its learning rate, and dtype policies."""

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import (
    FOUR_EPOCHS,
    IMAGES_A,
    IMAGES_B,
    LOSSES,
    NETWORKS,
    Rates,
    compiled,
    fit,
    make_model,
    make_plain_model,
    pairs,
    rates_of,
    untrained_model,
    weights,
)

from keras_cyclegan import CycleGAN


@pytest.fixture
def untrained(monkeypatch):
    return untrained_model(monkeypatch)


def test_compile_without_arguments_is_the_recipe_of_the_paper():
    model = make_model()
    model.compile()
    optimizers = model.optimizer.generator_optimizer, model.optimizer.discriminator_optimizer
    assert optimizers[0] is not optimizers[1]
    for optimizer in optimizers:
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.5, 0.999, 1e-8)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
    assert model.adversarial_loss.kind == "least_squares"
    assert (model.cycle_loss.norm, model.cycle_loss.weight) == ("l1", 10)
    assert (model.identity_loss.norm, model.identity_loss.weight) == ("l1", 5)
    assert (model.weight_a, model.weight_b) == (1, 1)
    assert CycleGAN.__init__.__defaults__[5] == 50  # pool_size


def test_networks_left_out_are_those_of_the_paper():
    model = CycleGAN(image_shape=(24, 24, 1), pool_size=0, dtype="mixed_bfloat16")
    for name, count in zip(NETWORKS, (7_825_153,) * 2 + (2_762_689,) * 2, strict=True):
        network = getattr(model, name)
        assert network.name == name
        assert network.count_params() == count
        assert network.dtype_policy.name == "mixed_bfloat16"
    assert CycleGAN.__init__.__defaults__[4] == (256, 256, 3)


def test_fit_holds_the_rate_for_half_the_epochs_then_lets_it_fall_to_zero(untrained):
    assert rates_of(untrained, pairs(), epochs=4) == pytest.approx(FOUR_EPOCHS)
    assert float(untrained.optimizer.learning_rate) == 0


def test_a_second_fit_starts_the_schedule_anew(untrained):
    rates_of(untrained, pairs(), epochs=2)
    assert rates_of(untrained, pairs(), epochs=4) == pytest.approx(FOUR_EPOCHS)


def test_a_second_fit_trains_at_its_new_rate_in_a_graph_that_was_traced_before(monkeypatch):
    """The first fit ends at a rate of 0, which the traced step holds as a constant schedule."""

    def train_step(self, data):
        ones = [keras.ops.ones_like(v) for v in self.trainable_variables]
        self.optimizer.apply(ones, self.trainable_variables)
        return {"loss": 0.0}

    monkeypatch.setattr(CycleGAN, "train_step", train_step)
    model = make_model()
    model.compile(jit_compile=False)
    for _ in range(2):
        before = weights(model, "generator_ab")[0]
        fit(model, epochs=2)
        moved = before - weights(model, "generator_ab")[0]
        np.testing.assert_allclose(moved, 2e-4 * (4 + 2 / 3 + 1 / 3), rtol=0.01)


def test_initial_epoch_goes_on_with_the_schedule(untrained):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(untrained, "stop_training", epoch == 1)
    )
    rates = Rates()
    fit(untrained, epochs=4, callbacks=[stop, rates])
    first = rates.rates
    second = rates_of(untrained, pairs(), epochs=4, initial_epoch=2)
    assert (len(first), len(second)) == (6, 6)
    assert first + second == pytest.approx(FOUR_EPOCHS)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((IMAGES_A, IMAGES_B), {"batch_size": 2}),
        ((IMAGES_A, IMAGES_B, 2), {}),
        ((IMAGES_A, IMAGES_B), {"batch_size": 1, "validation_split": 0.5}),
        ((pairs().repeat(),), {"steps_per_epoch": 3}),
    ],
    ids=["arrays", "positional", "validation_split", "steps_per_epoch"],
)
def test_schedule_knows_the_steps_of_each_kind_of_data(untrained, args, kwargs, monkeypatch):
    monkeypatch.setattr(CycleGAN, "test_step", lambda self, data: {"loss": 0.0})
    assert rates_of(untrained, *args, epochs=4, **kwargs) == pytest.approx(FOUR_EPOCHS)


def test_data_of_unknown_length_keeps_the_rate_and_says_so(untrained):
    with pytest.warns(UserWarning, match="number of batches in the data is unknown"):
        rates = rates_of(untrained, pairs().filter(lambda a, b: True), epochs=2)
    assert rates == pytest.approx([1] * len(rates))


def test_own_optimizers_keep_their_own_rates():
    model = compiled(
        make_plain_model(),
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(4e-3),
    )
    fit(model, epochs=2)
    assert float(model.optimizer.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(model.optimizer.discriminator_optimizer.learning_rate) == pytest.approx(4e-3)


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        "mixed_bfloat16",  # on the other backends, U-GAT-IT trains in it
        "mixed_float16",  # on JAX, test_saving.py trains in it; torch can't
    ],
)
def test_each_policy_trains(policy):
    model = make_model(dtype=policy)
    assert model.dtype_policy.name == policy
    compiled(model)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    before = {name: weights(model, name) for name in NETWORKS}
    history = fit(model, pairs(2), epochs=4).history
    assert all(np.isfinite(values).all() for values in history.values())
    for name in NETWORKS:
        for new, old in zip(weights(model, name), before[name], strict=True):
            assert new.dtype == "float32"
            assert np.isfinite(new).all()
            if new.ndim == 4:
                assert np.abs(new - old).max() > 1e-5, name


def test_low_precision_losses_are_near_those_of_float32():
    values = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        model = compiled(make_model(dtype=policy))
        values[policy] = model.evaluate(pairs(2), verbose=0, return_dict=True)
    for name in LOSSES:
        assert values["mixed_bfloat16"][name] == pytest.approx(values["float32"][name], rel=0.03)
        assert values["mixed_float16"][name] == pytest.approx(values["float32"][name], rel=0.005)
