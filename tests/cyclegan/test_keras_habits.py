"""All that a Keras user expects of a model: fit, evaluate, predict, logs, callbacks."""

import csv

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    LOSSES,
    NETWORKS,
    Rates,
    array,
    assert_same_state,
    compiled,
    fit,
    make_plain_model,
    pairs,
    sgd,
    state,
)


def test_epoch_logs_are_means_over_the_images_under_the_losses_own_names():
    model = compiled(make_plain_model(), **sgd())
    steps = []

    def record(losses, batch, *measured):
        steps.append(({name: float(v) for name, v in losses.items()}, len(batch.a)))
        return original(losses, batch)

    original, model.track = model.track, record
    history = fit(model, pairs(count=5)).history
    assert history.keys() == LOSSES
    sizes = [size for _, size in steps]
    assert sizes == [2, 2, 1]
    for name in LOSSES - {"loss"}:
        expected = np.average([losses[name] for losses, _ in steps], weights=sizes)
        assert history[name][0] == pytest.approx(expected, rel=1e-5)
    total = sum(history[name][0] for name in LOSSES - {"loss"})
    assert history["loss"][0] == pytest.approx(total, rel=1e-5)


def test_each_epoch_starts_its_means_anew():
    model = compiled(
        **{name: keras.optimizers.SGD(0.0) for name in sgd()}, model=make_plain_model()
    )
    model.pool_a.size = model.pool_b.size = 0
    history = fit(model, epochs=2).history
    for name, (first, second) in history.items():
        assert first == pytest.approx(second, rel=1e-5), name


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch makes single steps")
def test_several_steps_per_execution_train_and_log_as_single_steps():
    models = [compiled(make_plain_model(pool_size=6), **sgd()), make_plain_model(pool_size=6)]
    models[1].compile(**sgd(), steps_per_execution=2, jit_compile=False)
    histories = [fit(model, pairs(4)).history for model in models]
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-5), name
    assert int(models[1].optimizer.iterations) == 2
    assert_same_state(*models, atol=1e-5)


@pytest.mark.backend
def test_evaluate_reports_every_loss_and_changes_nothing():
    model = compiled(make_plain_model())
    before = state(model)
    first, second = (model.evaluate(pairs(), verbose=0, return_dict=True) for _ in range(2))
    assert first.keys() == LOSSES
    assert first == second
    for name, value in state(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.backend
def test_validation_data_are_logged_beside_the_training_losses():
    model = compiled(make_plain_model())
    history = fit(model, pairs(2), validation_data=pairs(2)).history
    assert history.keys() == LOSSES | {f"val_{name}" for name in LOSSES}
    history = fit(model, pairs(2), validation_data=(IMAGES_A[:2], IMAGES_B[:2])).history
    assert "val_cycle_a" in history


@pytest.mark.backend
def test_predict_translates_from_a_to_b():
    model = compiled(make_plain_model())
    expected = array(model.generator_ab(IMAGES_A))
    np.testing.assert_allclose(model.predict(IMAGES_A, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(pairs(), verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(array(model(IMAGES_A)), expected, atol=1e-5)


@pytest.mark.backend
def test_arrays_train_as_a_dataset_does():
    models = [compiled(make_plain_model(), **sgd()), compiled(make_plain_model(), **sgd())]
    fit(models[0])
    models[1].fit(IMAGES_A, IMAGES_B, batch_size=2, shuffle=False, verbose=0)
    assert_same_state(*models)


@pytest.mark.backend
def test_batch_methods_work():
    model = compiled(make_plain_model(), **sgd())
    assert model.test_on_batch(IMAGES_A[:2], IMAGES_B[:2], return_dict=True).keys() == LOSSES
    assert model.train_on_batch(IMAGES_A[:2], IMAGES_B[:2], return_dict=True).keys() == LOSSES
    assert model.predict_on_batch(IMAGES_A[:2]).shape == (2, 16, 16, 3)


def test_summary_counts_the_four_networks():
    model = make_plain_model()
    lines = []
    model.summary(print_fn=lambda text, line_break=True: lines.append(text))
    count = sum(getattr(model, name).count_params() for name in NETWORKS)
    assert model.count_params() == count
    assert f"Total params: {count:,}" in "\n".join(lines)


@pytest.mark.backend
def test_callbacks_of_keras_work(tmp_path):
    model = compiled(
        make_plain_model(),
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(1e-3),
    )
    checkpoint = tmp_path / "best.keras"
    history = fit(
        model,
        epochs=2,
        validation_data=pairs(2),
        callbacks=[
            keras.callbacks.ModelCheckpoint(checkpoint, monitor="val_cycle_a", mode="min"),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-3 / (epoch + 1)),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.EarlyStopping("val_cycle_a", mode="min", patience=5),
        ],
    ).history
    assert len(history["loss"]) == 2
    assert float(model.optimizer.generator_optimizer.learning_rate) == pytest.approx(5e-4)
    assert float(model.optimizer.discriminator_optimizer.learning_rate) == pytest.approx(5e-4)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[1]["cycle_a"]) == pytest.approx(history["cycle_a"][1])
    assert_same_state(keras.saving.load_model(checkpoint), model)


@pytest.mark.backend
def test_terminate_on_nan_stops():
    model = compiled(make_plain_model(), **sgd())
    kernel = model.generator_ab.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    history = fit(
        model,
        IMAGES_A,
        y=IMAGES_B,
        batch_size=1,
        epochs=3,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    assert len(history.epoch) == 1
    assert int(model.optimizer.iterations) == 1


def test_backup_and_restore_goes_on_as_if_it_had_never_stopped(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    data = pairs(2)
    never_stopped = compiled(make_plain_model())
    fit(never_stopped, data, epochs=4)
    backup = tmp_path / "backup"
    with pytest.raises(KeyboardInterrupt):
        fit(
            compiled(make_plain_model()),
            data,
            epochs=4,
            callbacks=[keras.callbacks.BackupAndRestore(backup), Kill()],
        )
    restarted = compiled(make_plain_model(seed=7))
    rates = Rates()
    restore = keras.callbacks.BackupAndRestore(backup)
    history = fit(restarted, data, epochs=4, callbacks=[restore, rates])
    assert history.epoch == [2, 3]
    assert rates.rates == pytest.approx([1, 1 / 2])
    assert_same_state(restarted, never_stopped, atol=1e-6)
