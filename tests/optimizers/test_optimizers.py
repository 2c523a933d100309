import keras
import numpy as np
import pytest

from keras_cyclegan.optimizers import LinearDecay, paper_adam
from keras_cyclegan.optimizers.adam import PenalisedAdam
from keras_cyclegan.optimizers.joint import AdversarialOptimizer


def rate(schedule, step):
    return float(keras.ops.convert_to_numpy(schedule(step)))


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 2e-4), (99, 2e-4), (100, 2e-4), (101, 1.98e-4), (150, 1e-4), (199, 2e-6), (200, 0)],
)
def test_linear_decay_is_constant_then_falls_to_zero(step, expected):
    schedule = LinearDecay(2e-4, constant_steps=100, decay_steps=100)
    assert rate(schedule, step) == pytest.approx(expected, abs=1e-9)


def test_linear_decay_stays_at_zero():
    assert rate(LinearDecay(1.0, 10, 10), 1_000_000) == 0


def test_linear_decay_counts_the_steps_of_long_runs_exactly():
    schedule = LinearDecay(1.0, constant_steps=10_000_000, decay_steps=4)
    assert [rate(schedule, 10_000_000 + i) for i in range(5)] == [1, 0.75, 0.5, 0.25, 0]


def test_a_held_rate_begins_after_its_steps_and_is_no_other_then():
    plain, held = LinearDecay(1e-3, 3, 7), LinearDecay(1e-3, 3, 7, held_steps=5)
    assert [rate(held, step) for step in range(5)] == [0] * 5
    assert [rate(held, step) for step in (5, 6, 9)] == [rate(plain, step) for step in (5, 6, 9)]


def test_linear_decay_config_round_trip():
    schedule = LinearDecay(1e-3, constant_steps=3, decay_steps=7, held_steps=1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert copy.get_config() == schedule.get_config()
    assert rate(copy, 5) == rate(schedule, 5)


@pytest.mark.parametrize("arguments", [{"constant_steps": -1}, {"decay_steps": 0}])
def test_linear_decay_refuses_impossible_steps(arguments):
    with pytest.raises(ValueError, match="=".join(map(str, next(iter(arguments.items()))))):
        LinearDecay(**arguments)


def make_pair():
    """Two variables with one path, as two functional networks have them."""
    first, second = (keras.Variable(np.ones(3, "float32"), name="kernel") for _ in range(2))
    optimizer = AdversarialOptimizer(
        keras.optimizers.SGD(0.5), keras.optimizers.Adam(0.25), [second]
    )
    optimizer.build([first, second])
    return optimizer, first, second


def test_variables_of_one_path_go_to_their_own_optimizer():
    optimizer, first, second = make_pair()
    assert first.path == second.path
    gradient = keras.ops.full((3,), 2.0)
    optimizer.apply([gradient, gradient], [first, second])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(first), 1 - 0.5 * 2)  # SGD
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(second), 1 - 0.25, atol=1e-5
    )  # Adam starts at its rate
    assert [int(o.iterations) for o in optimizer.optimizers] == [1, 1]


def test_setting_the_learning_rate_sets_both():
    optimizer, _, _ = make_pair()
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.125
    assert float(optimizer.generator_optimizer.learning_rate) == 0.125
    assert float(optimizer.discriminator_optimizer.learning_rate) == 0.125


def test_own_state_is_saved_once():
    optimizer, _, _ = make_pair()
    store = {}
    optimizer.save_own_variables(store)
    assert list(store) == ["0"]  # the count of steps


def test_an_open_schedule_is_constant_until_fit_sets_it_and_is_saved():
    def make():
        variables = [keras.Variable(np.ones(3, "float32")) for _ in range(2)]
        optimizer = AdversarialOptimizer(paper_adam(), paper_adam(), variables[1:])
        optimizer.build(variables)
        return optimizer

    optimizer, copy = make(), make()
    schedule = optimizer.rate_schedules[0]
    assert rate(schedule, 10**9) == pytest.approx(2e-4)
    for each in optimizer.rate_schedules:
        each.follow_epochs(steps_per_epoch=5, epochs=3)
    expected = [2e-4] * 9 + [2e-4 * (1 - i / 7) for i in range(1, 8)]
    assert [rate(schedule, i) for i in range(16)] == pytest.approx(expected, abs=1e-9)
    store = {}
    optimizer.save_own_variables(store)
    copy.load_own_variables(store)
    assert rate(copy.rate_schedules[1], 12) == rate(schedule, 12)


@pytest.mark.parametrize(("decay_epochs", "constant"), [(0, 30), (1, 20), (2, 10), (9, 0)])
def test_last_epochs_in_which_the_rate_falls_can_be_chosen(decay_epochs, constant):
    schedule = LinearDecay(1.0, decay_epochs=decay_epochs, final_learning_rate=0.5)
    schedule.variable = keras.Variable([0, 0], dtype="int32")
    schedule.follow_epochs(steps_per_epoch=10, epochs=3)
    assert rate(schedule, constant) == 1.0
    assert rate(schedule, constant + 1) < 1.0
    assert rate(schedule, 31) == 0.5


@pytest.mark.backend
def test_weight_penalty_is_torch_s_weight_decay():
    torch = pytest.importorskip("torch", reason="parity is measured against torch")
    start = np.linspace(-2, 2, 7).astype("float32")
    gradients = np.random.RandomState(0).normal(size=(3, 7)).astype("float32")
    weight = torch.nn.Parameter(torch.tensor(start))
    options = {"betas": (0.5, 0.999), "eps": 1e-8}
    reference = torch.optim.Adam([weight], 0.1, weight_decay=0.5, **options)
    variable = keras.Variable(start)
    optimizer = paper_adam(0.1, weight_penalty=0.5)
    optimizer.build([variable])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        reference.step()
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    found = keras.ops.convert_to_numpy(variable)
    np.testing.assert_allclose(found, weight.detach().numpy(), atol=1e-5)
    assert np.abs(found - start).max() > 0.1


def test_weight_penalty_is_saved_and_never_negative():
    optimizer = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(PenalisedAdam(0.1, weight_penalty=0.25))
    )
    assert optimizer.weight_penalty == 0.25
    with pytest.raises(ValueError, match="weight_penalty=-1"):
        PenalisedAdam(weight_penalty=-1)
    assert not isinstance(paper_adam(), PenalisedAdam)
