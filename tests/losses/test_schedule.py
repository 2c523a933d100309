"""A weight of the cycle terms that falls as a model trains."""

import keras
import pytest
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    array,
    compiled,
    fit,
    generator_losses,
    make_model,
    pairs,
    sgd,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import Scheduled, Term, WeightSchedule
from keras_cyclegan.steps import keras_step


def factor(schedule, step):
    return float(array(schedule(step)))


def cycle_terms(model, training):
    losses, _ = generator_losses(model, IMAGES_A[:1], IMAGES_B[:1], training)
    return [float(array(losses[name])) for name in ("cycle_a", "cycle_b")]


def test_factor_falls_in_a_straight_line_and_stays():
    schedule = WeightSchedule(0.2, constant_steps=2, decay_steps=4)
    expected = [1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]
    assert [factor(schedule, step) for step in range(8)] == pytest.approx(expected)


def test_open_schedule_falls_over_the_whole_fit_or_its_last_epochs():
    for epochs, expected in ((None, [1, 0.875, 0.75, 0.625, 0.5]), (1, [1, 1, 1, 0.75, 0.5])):
        schedule = WeightSchedule(0.5, decay_epochs=epochs)
        term = Scheduled(Term(), schedule)
        term.prepare(None)
        assert factor(schedule, 10**6) == 1.0
        term.follow_epochs(2, 2)  # two steps an epoch
        assert [factor(schedule, step) for step in range(5)] == pytest.approx(expected)


def test_cycle_terms_of_a_step_follow_the_schedule_and_those_of_validation_do_not():
    model = compiled(cycle_schedule=WeightSchedule(0.1, decay_steps=4), weight_b=3.0)
    full = cycle_terms(model, training=False)
    for step, expected in ((0, 1.0), (2, 0.55), (9, 0.1)):
        model.optimizer.iterations.assign(step)
        found = cycle_terms(model, training=True)
        assert found == pytest.approx([expected * term for term in full], rel=1e-4)
        assert cycle_terms(model, training=False) == pytest.approx(full, rel=1e-4)


def test_schedule_is_saved_with_the_model_and_its_steps(tmp_path):
    model = compiled(cycle_schedule=WeightSchedule(0.25))
    model.follow_epochs(model.optimizer, 10, 2, 0)
    assert factor(model.cycle_schedule, 10) == pytest.approx(0.625)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.cycle_schedule.get_config() == model.cycle_schedule.get_config()
    assert factor(copy.cycle_schedule, 10) == pytest.approx(0.625)


@pytest.mark.backend
def test_a_falling_weight_needs_no_second_graph(monkeypatch):
    traced = []

    @keras_step
    def train_step(self, data):
        traced.append(1)
        factor = self.cycle_schedule(self.optimizer.iterations)
        self.apply([0.0 * v for v in self.trainable_variables], self.trainable_variables)
        return {"loss": factor}

    monkeypatch.setattr(CycleGAN, "train_step", train_step)
    model, factors = make_model(), []
    model.compile(**sgd(), cycle_schedule=WeightSchedule(0.5))
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: factors.append(logs))
    for _ in range(2):  # the second `fit` sets other steps
        graphs = len(traced)
        model.fit(IMAGES_A[:2], IMAGES_B[:2], batch_size=1, epochs=2, callbacks=[note], verbose=0)
    assert [float(logs["loss"]) for logs in factors] == [1, 0.875, 0.75, 0.625] * 2
    if keras.backend.backend() != "torch":  # which has none
        assert graphs == len(traced) <= 2


def test_other_schedules_may_set_the_rate_beside_it():
    model = compiled(**sgd(), cycle_schedule=WeightSchedule())
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5)
    fit(model, pairs(2, 1), callbacks=[rates])
    assert float(array(model.optimizer.learning_rate)) == 0.5


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"final=-0\.1"):
        WeightSchedule(-0.1)
