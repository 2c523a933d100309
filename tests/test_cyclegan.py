"""CycleGAN as a Keras model: what a step does, and all that a Keras user expects around it."""

import csv
import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from step_inputs import draw_weights

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

array = keras.ops.convert_to_numpy
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="looks into a step, or compiles, with TensorFlow",
)
not_on_torch = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch trains in float16 on a GPU only"
)
NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
LOSSES = {
    "loss",
    "adversarial_ab",
    "adversarial_ba",
    "cycle_a",
    "cycle_b",
    "identity_a",
    "identity_b",
    "discriminator_a",
    "discriminator_b",
}
IMAGES_A, IMAGES_B = (
    np.random.RandomState(seed).uniform(-1, 1, (6, 16, 16, 3)).astype("float32") for seed in (0, 1)
)


def make_networks(channels_a=3, channels_b=3, dtype=None):
    shape_a, shape_b = (16, 16, channels_a), (16, 16, channels_b)
    options = {"filters": 4, "num_blocks": 1, "dtype": dtype}
    return {
        "generator_ab": ResNetGenerator(shape_a, channels_b, **options),
        "generator_ba": ResNetGenerator(shape_b, channels_a, **options),
        "discriminator_a": PatchDiscriminator(shape_a, 4, num_layers=1, dtype=dtype),
        "discriminator_b": PatchDiscriminator(shape_b, 4, num_layers=1, dtype=dtype),
    }


def make_model(channels_a=3, channels_b=3, pool_size=2, seed=0, dtype=None, **kwargs):
    keras.utils.set_random_seed(seed)
    networks = make_networks(channels_a, channels_b, dtype)
    # The paper's start, N(0, 0.02), leaves networks this narrow nearly without a gradient.
    for i, network in enumerate(networks.values()):
        network.set_weights(draw_weights([w.shape for w in network.weights], 10 * seed + i))
    shape = (16, 16, channels_a)
    return CycleGAN(**networks, image_shape=shape, pool_size=pool_size, **kwargs)


def compiled(model=None, run_eagerly=True, **kwargs):
    """Eager, because tracing costs more than the few steps of a test."""
    model = model or make_model()
    model.compile(run_eagerly=run_eagerly, **kwargs)
    return model


def pairs(count=6, batch_size=2):
    return tf.data.Dataset.from_tensor_slices((IMAGES_A[:count], IMAGES_B[:count])).batch(
        batch_size
    )


def fit(model, data=None, **kwargs):
    return model.fit(pairs() if data is None else data, verbose=0, **kwargs)


def state(model):
    return {
        **{f"{name} {i}": w for name in NETWORKS for i, w in enumerate(weights(model, name))},
        **{f"optimizer {i}": array(v) for i, v in enumerate(model.optimizer.variables)},
        **{
            f"{pool.name} {i}": array(v)
            for pool in (model.pool_a, model.pool_b)
            for i, v in enumerate([*pool.weights, pool.seed_generator.state])
        },
    }


def weights(model, name):
    return getattr(model, name).get_weights()


def assert_same_state(first, second, atol=0.0):
    first, second = state(first), state(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], rtol=0, atol=atol, err_msg=name)


def sgd():
    return {
        "generator_optimizer": keras.optimizers.SGD(0.01),
        "discriminator_optimizer": keras.optimizers.SGD(0.01),
    }


# --- one step ------------------------------------------------------------------------------------


@on_tensorflow
@pytest.mark.parametrize("term", ["cycle_a", "cycle_b"])
def test_cycle_term_reaches_both_generators(term):
    model = compiled()
    with tf.GradientTape() as tape:
        losses, _, _ = model.generator_losses(IMAGES_A[:1], IMAGES_B[:1], training=True)
        loss = losses[term]
    for gradients in tape.gradient(
        loss, [model.generator_ab.trainable_variables, model.generator_ba.trainable_variables]
    ):
        kernels = [gradient for gradient in gradients if len(gradient.shape) == 4]
        assert all(np.abs(gradient).max() > 1e-6 for gradient in kernels)


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
        losses, _, _ = model.generator_losses(IMAGES_A[:1], IMAGES_B[:1], training=True)
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
    losses, fake_a, fake_b = model.generator_losses(a, b, training=True)
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
    losses = model.discriminator_losses(a, b, 0.5 * a, 0.5 * b)
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
    seen, original = [], model.discriminator_losses

    def record(real_a, real_b, fake_a, fake_b, training=True):
        seen.append(
            {"a": keras.ops.convert_to_numpy(fake_a), "b": keras.ops.convert_to_numpy(fake_b)}
        )
        return original(real_a, real_b, fake_a, fake_b, training)

    model.discriminator_losses = record
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
    models = [make_model(pool_size=6), make_model(pool_size=6)]
    models[0].compile(**sgd(), jit_compile=True)
    models[1].compile(**sgd(), run_eagerly=True)
    histories = [fit(model).history for model in models]
    assert models[0].jit_compile is True
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-4), name
    assert_same_state(*models, atol=1e-4)


# --- compile -------------------------------------------------------------------------------------


def test_compile_without_arguments_is_the_recipe_of_the_paper():
    model = make_model()
    model.compile()
    optimizers = model.optimizer.generator_optimizer, model.optimizer.discriminator_optimizer
    assert optimizers[0] is not optimizers[1]
    for optimizer in optimizers:
        assert type(optimizer) is keras.optimizers.Adam
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


class Rates(keras.callbacks.Callback):
    """The learning rate of each step, of both optimizers."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        optimizer = self.model.optimizer
        rates = [
            float(optimizer.generator_optimizer.learning_rate),
            float(optimizer.discriminator_optimizer.learning_rate),
        ]
        assert rates[0] == rates[1]
        self.rates.append(rates[0] / 2e-4)


@pytest.fixture
def untrained(monkeypatch):
    """A compiled model whose steps only count."""
    model = compiled()

    def train_step(self, data):
        zeros = [keras.ops.zeros_like(v) for v in self.trainable_variables]
        self.optimizer.apply(zeros, self.trainable_variables)
        return {"loss": 0.0}

    monkeypatch.setattr(CycleGAN, "train_step", train_step)
    return model


FOUR_EPOCHS = [1, 1, 1, 1, 1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]


def rates_of(model, *args, **kwargs):
    rates = Rates()
    model.fit(*args, verbose=0, callbacks=[rates], **kwargs)
    return rates.rates


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
    with pytest.warns(UserWarning, match="doesn't tell how many batches"):
        rates = rates_of(untrained, pairs().filter(lambda a, b: True), epochs=2)
    assert rates == pytest.approx([1] * len(rates))


@pytest.mark.backend
def test_own_optimizers_keep_their_own_rates():
    model = compiled(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        discriminator_optimizer=keras.optimizers.Adam(4e-3),
    )
    fit(model, epochs=2)
    assert float(model.optimizer.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(model.optimizer.discriminator_optimizer.learning_rate) == pytest.approx(4e-3)


# --- a Keras model -------------------------------------------------------------------------------


def test_epoch_logs_are_means_over_the_images_under_the_losses_own_names():
    model = compiled(**sgd())
    steps = []

    def record(losses, batch_size):
        steps.append(({name: float(v) for name, v in losses.items()}, int(batch_size)))
        return original(losses, batch_size)

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
    model = compiled(**{name: keras.optimizers.SGD(0.0) for name in sgd()}, model=make_model())
    model.pool_a.size = model.pool_b.size = 0
    history = fit(model, epochs=2).history
    for name, (first, second) in history.items():
        assert first == pytest.approx(second, rel=1e-5), name


def test_several_steps_per_execution_train_and_log_as_single_steps():
    models = [make_model(pool_size=6), make_model(pool_size=6)]
    histories = []
    for model, steps in zip(models, (1, 3), strict=True):
        model.compile(**sgd(), steps_per_execution=steps, jit_compile=False)
        histories.append(fit(model).history)
    for name, values in histories[0].items():
        assert values == pytest.approx(histories[1][name], rel=1e-5), name
    assert int(models[1].optimizer.iterations) == 3
    assert_same_state(*models, atol=1e-5)


@pytest.mark.backend
def test_evaluate_reports_every_loss_and_changes_nothing():
    model = compiled()
    before = state(model)
    first, second = (model.evaluate(pairs(), verbose=0, return_dict=True) for _ in range(2))
    assert first.keys() == LOSSES
    assert first == second
    for name, value in state(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.backend
def test_validation_data_are_logged_beside_the_training_losses():
    history = fit(compiled(), validation_data=pairs(2)).history
    assert history.keys() == LOSSES | {f"val_{name}" for name in LOSSES}
    history = fit(compiled(), validation_data=(IMAGES_A[:2], IMAGES_B[:2])).history
    assert "val_cycle_a" in history


@pytest.mark.backend
def test_predict_translates_from_a_to_b():
    model = compiled()
    expected = array(model.generator_ab(IMAGES_A))
    np.testing.assert_allclose(model.predict(IMAGES_A, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(pairs(), verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(array(model(IMAGES_A)), expected, atol=1e-5)


@pytest.mark.backend
def test_arrays_train_as_a_dataset_does():
    models = [compiled(**sgd()), compiled(**sgd())]
    fit(models[0])
    models[1].fit(IMAGES_A, IMAGES_B, batch_size=2, shuffle=False, verbose=0)
    assert_same_state(*models)


@pytest.mark.backend
def test_batch_methods_work():
    model = compiled(**sgd())
    assert model.test_on_batch(IMAGES_A[:1], IMAGES_B[:1], return_dict=True).keys() == LOSSES
    assert model.train_on_batch(IMAGES_A[:1], IMAGES_B[:1], return_dict=True).keys() == LOSSES
    assert model.predict_on_batch(IMAGES_A[:1]).shape == (1, 16, 16, 3)


def test_summary_counts_the_four_networks():
    model = make_model()
    lines = []
    model.summary(print_fn=lambda text, line_break=True: lines.append(text))
    count = sum(getattr(model, name).count_params() for name in NETWORKS)
    assert model.count_params() == count
    assert f"Total params: {count:,}" in "\n".join(lines)


@pytest.mark.backend
def test_callbacks_of_keras_work(tmp_path):
    model = compiled(
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
    model = compiled(**sgd())
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
    never_stopped = compiled()
    fit(never_stopped, data, epochs=4)
    backup = tmp_path / "backup"
    with pytest.raises(KeyboardInterrupt):
        fit(
            compiled(),
            data,
            epochs=4,
            callbacks=[keras.callbacks.BackupAndRestore(backup), Kill()],
        )
    restarted = compiled(make_model(seed=7))
    rates = Rates()
    restore = keras.callbacks.BackupAndRestore(backup)
    history = fit(restarted, data, epochs=4, callbacks=[restore, rates])
    assert history.epoch == [2, 3]
    assert rates.rates == pytest.approx([1, 1 / 2])
    assert_same_state(restarted, never_stopped, atol=1e-6)


# --- saving --------------------------------------------------------------------------------------


@pytest.mark.backend
def test_saved_and_reloaded_model_goes_on_as_if_it_had_never_stopped(tmp_path):
    data = pairs(4)
    model = compiled()
    fit(model, data, epochs=2)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        copy = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_state(copy, model)
    histories = [fit(m, data, epochs=3, initial_epoch=2).history for m in (model, copy)]
    assert histories[0] == histories[1]
    assert_same_state(copy, model)
    assert int(copy.optimizer.iterations) == 6
    moments = [v for v in copy.optimizer.variables if "momentum" in v.path]
    assert moments
    assert any(np.abs(v).max() > 0 for v in moments)


def test_reloaded_model_trains_again_on_the_papers_schedule(untrained, tmp_path):
    rates_of(untrained, pairs(), epochs=2)
    untrained.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert rates_of(copy, pairs(), epochs=4) == pytest.approx(FOUR_EPOCHS)


def test_weights_of_a_compiled_model_hold_all_of_its_state(tmp_path):
    model, copy = compiled(), compiled(make_model(seed=3))
    fit(model, pairs(2))
    model.save_weights(tmp_path / "model.weights.h5")
    copy.load_weights(tmp_path / "model.weights.h5")
    assert_same_state(copy, model)


@pytest.mark.backend
def test_reloaded_model_is_compiled_as_it_was(tmp_path):
    model = make_model()
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.5),
        keras.optimizers.RMSprop(0.2),
        AdversarialLoss("min_max", weight=2.0),
        CycleConsistencyLoss("l2", weight=3.0),
        IdentityLoss("l2", weight=4.0),
        weight_a=5.0,
        weight_b=6.0,
        jit_compile=False,
        steps_per_execution=2,
    )
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.get_compile_config() == model.get_compile_config()
    assert copy.get_config() == model.get_config()
    assert isinstance(copy.optimizer.discriminator_optimizer, keras.optimizers.RMSprop)
    assert not copy.paper_schedule
    json.dumps(copy.get_compile_config())


def test_model_without_identity_loss_reloads_without(tmp_path):
    model = compiled(make_model(3, 1), identity_loss=None)
    assert fit(
        model, tf.data.Dataset.from_tensors((IMAGES_A, IMAGES_B[..., :1]))
    ).history.keys() == (LOSSES - {"identity_a", "identity_b"})
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.identity_loss is None
    assert copy.pool_b.images.shape == (2, 16, 16, 1)
    assert_same_state(copy, model)


def test_one_way_model_translates_and_reloads(tmp_path):
    model = CycleGAN(make_networks()["generator_ab"], None, None, None, image_shape=(16, 16, 3))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.generator_ba is None
    np.testing.assert_array_equal(copy(IMAGES_A), model(IMAGES_A))
    assert copy.count_params() == model.generator_ab.count_params()


def test_model_not_compiled_reloads(tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert not copy.compiled
    assert copy.pool_size == 2
    for name in NETWORKS:
        for new, old in zip(weights(copy, name), weights(model, name), strict=True):
            np.testing.assert_array_equal(new, old)


# --- dtype policies ------------------------------------------------------------------------------


@pytest.mark.backend
@pytest.mark.parametrize(
    "policy",
    ["float32", "mixed_bfloat16", pytest.param("mixed_float16", marks=not_on_torch)],
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


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="about torch")
@pytest.mark.parametrize(
    ("dtype", "options", "message"),
    [(None, {"jit_compile": True}, "jit_compile=False"), ("mixed_float16", {}, "mixed_bfloat16")],
)
def test_what_torch_cannot_do_is_said(dtype, options, message):
    model = make_model(dtype=dtype)
    model.compile(**options)
    with pytest.raises(ValueError, match=message):
        fit(model, pairs(2))


def test_low_precision_losses_are_near_those_of_float32():
    values = {}
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        model = compiled(make_model(dtype=policy))
        values[policy] = model.evaluate(pairs(2), verbose=0, return_dict=True)
    for name in LOSSES:
        assert values["mixed_bfloat16"][name] == pytest.approx(values["float32"][name], rel=0.03)
        assert values["mixed_float16"][name] == pytest.approx(values["float32"][name], rel=0.005)


@not_on_torch
@pytest.mark.backend
def test_loss_scaling_survives_a_reload(tmp_path):
    model = compiled(make_model(dtype="mixed_float16"))
    fit(model, pairs(2))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)
    assert_same_state(copy, model)
    assert float(copy.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.backend
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tf.data.Dataset.from_tensors(IMAGES_A), r"a pair .* one array of shape \(6, 16, 16, 3\)"),
        (IMAGES_A, r"a pair .* one array of shape \(6, 16, 16, 3\)"),
        (tf.data.Dataset.from_tensors((IMAGES_A,) * 3), "a pair .* a tuple of 3"),
        (tf.data.Dataset.from_tensors({"a": IMAGES_A}), r"a pair .* a dict with keys \['a'\]"),
        (tf.data.Dataset.from_tensors((IMAGES_A[..., :1], IMAGES_B)), "domain A .* width, 3"),
        (tf.data.Dataset.from_tensors((IMAGES_A, IMAGES_B[..., :2])), r"domain B .*16, 16, 2\)"),
        (tf.data.Dataset.from_tensors((IMAGES_A[0], IMAGES_B[0])), r"domain A .*\(16, 16, 3\)"),
        (
            tf.data.Dataset.from_tensors((np.zeros((1, 20, 20, 3), "float32"),) * 2),
            r"stores images of shape \(16, 16, 3\). Received .*\(20, 20, 3\)",
        ),
    ],
    ids=["one", "array_alone", "three", "dict", "channels_a", "channels_b", "no_batch", "size"],
)
def test_bad_batches_are_refused_before_any_update(data, message):
    model = compiled()
    before = state(model)
    with pytest.raises(ValueError, match=message):
        fit(model, data)
    for name, value in state(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_identity_loss_needs_equal_channels():
    model = make_model(3, 1)
    with pytest.raises(ValueError, match=r"Received 3 and 1.*`identity_loss=None`"):
        model.compile()


def test_compile_names_the_missing_networks():
    model = CycleGAN(make_networks()["generator_ab"], None, None, None, image_shape=(16, 16, 3))
    with pytest.raises(ValueError, match="no generator_ba, discriminator_a, discriminator_b"):
        model.compile()


@pytest.mark.parametrize(
    ("name", "network", "message"),
    [
        (
            "generator_ba",
            lambda: ResNetGenerator((16, 16, 3), 1, 4, 1),
            "generator_ba gives 1, not 3",
        ),
        (
            "discriminator_b",
            lambda: PatchDiscriminator((16, 16, 1), 4, 1),
            "discriminator_b takes 1, not 3",
        ),
    ],
)
def test_compile_refuses_networks_that_do_not_fit_together(name, network, message):
    networks = {**make_networks(), name: network()}
    model = CycleGAN(**networks, image_shape=(16, 16, 3))
    with pytest.raises(ValueError, match=message):
        model.compile()


def test_image_shape_must_fit_the_generators():
    with pytest.raises(ValueError, match="1 channels; the generators say 3"):
        CycleGAN(**make_networks(), image_shape=(16, 16, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"adversarial_loss": "wgan"}, "Received kind='wgan'"),
        ({"cycle_loss": "l3"}, "Received norm='l3'"),
        ({"cycle_loss": None}, "`cycle_loss` must be a loss"),
        ({"adversarial_loss": None}, "`adversarial_loss` must be a loss"),
    ],
)
def test_compile_refuses_unknown_losses(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model().compile(**arguments)


def test_training_before_compile_says_so():
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        fit(make_model())


@pytest.mark.backend
@pytest.mark.parametrize("value", [np.nan, 255.0])
def test_values_that_no_generator_gives_are_refused_before_training(value):
    model = compiled()
    images = np.zeros((2, 16, 16, 3), "float32")
    images[1, 3, 4, 2] = value
    dataset = tf.data.Dataset.from_tensors((np.zeros_like(images), images))
    for arguments in ((dataset,), (images, np.zeros_like(images))):
        with pytest.raises(ValueError, match=r"NaN|\[-1, 1\]"):
            model.fit(*arguments, verbose=0)
    assert int(model.optimizer.iterations) == 0
