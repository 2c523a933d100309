"""What watches training: scores in the logs, pictures, and the alarms."""

import warnings

import keras
import numpy as np
import pytest
from support.plain_networks import plain_network
from support.step_inputs import NETWORKS

from keras_cyclegan import CycleGAN
from keras_cyclegan.callbacks import FailureAlarms, SampleGrid, TranslationMetrics
from keras_cyclegan.data import from_unit, load
from keras_cyclegan.metrics import (
    FACADES_PALETTE,
    KernelInceptionDistance,
    MeanAbsoluteError,
    SegmentationScores,
)
from keras_cyclegan.networks import AttentionGenerator
from keras_cyclegan.training.failure_alarms import failure_measures
from keras_cyclegan.training.sample_grid import sample_grid

SHAPE = (16, 16, 3)


@pytest.fixture
def batches():
    random = np.random.default_rng(0)
    return [tuple(random.uniform(-1, 1, (2, 4, *SHAPE)).astype("float32")) for _ in range(3)]


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    networks = {name: plain_network(name) for name in NETWORKS}
    model = CycleGAN(**networks, image_shape=SHAPE, pool_size=0)
    model.compile(run_eagerly=True)
    return model


def fit(model, batches, callbacks, epochs=4):
    a, b = (np.concatenate(side) for side in zip(*batches, strict=True))
    return model.fit(a, b, batch_size=len(a), epochs=epochs, callbacks=callbacks, verbose=0).history


def rigged(function):
    """A translator that does `function` both ways."""
    inputs = keras.Input((None, None, 3))
    generators = [keras.Model(inputs, function(inputs)) for _ in range(2)]
    return CycleGAN(*generators, None, None, image_shape=SHAPE)


def watch(model, dataset, epochs=3, **options):
    alarms = FailureAlarms(dataset, **options)
    alarms.set_model(model)
    for epoch in range(epochs):
        logs = {}
        alarms.on_epoch_end(epoch, logs)
    return logs


def test_checkpoint_and_early_stopping_act_on_a_paired_score(model, batches, tmp_path):
    scores = TranslationMetrics(batches, [MeanAbsoluteError(name="mae")], count=8)
    path = tmp_path / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(
        path, monitor="mae_ab", mode="min", save_best_only=True, save_weights_only=True
    )
    # Nothing is better by 10: two epochs without gain after the first.
    stop = keras.callbacks.EarlyStopping("mae_ba", mode="min", min_delta=10.0, patience=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(available|skipping).*")
        history = fit(model, batches, [scores, best, stop], epochs=6)
    assert len(history["mae_ab"]) == 3
    assert best.best == pytest.approx(min(history["mae_ab"]))
    model.load_weights(path)
    assert scores.measure()["mae_ab"] == pytest.approx(min(history["mae_ab"]), abs=1e-6)


def test_scores_in_the_logs_are_those_of_the_translations(model, batches):
    scores = TranslationMetrics(batches, [MeanAbsoluteError(name="mae")], count=10)
    scores.set_model(model)
    a, b = (np.concatenate(side)[:10] for side in zip(*batches, strict=True))
    expected = MeanAbsoluteError()
    expected.update_state(from_unit(a), model.translate(from_unit(b), direction="b_to_a"))
    assert scores.measure()["mae_ba"] == pytest.approx(float(expected.result()), abs=2e-3)


def test_scores_and_alarms_are_those_of_the_averages(model, batches):
    model.compile(ema_momentum=0.9, run_eagerly=True)
    model.average_ba.set_weights([0 * weights for weights in model.average_ba.get_weights()])
    scores = TranslationMetrics(batches, [MeanAbsoluteError(name="mae")], count=10)
    scores.set_model(model)
    a = np.concatenate([a for a, _ in batches])[:10]
    assert scores.measure()["mae_ba"] == pytest.approx(float(np.abs(a).mean()), abs=5e-3)  # grey
    alarms, logs = FailureAlarms(batches), {}
    alarms.set_model(model)
    alarms.on_epoch_end(0, logs)
    assert logs["spread_ba"] == 0
    assert logs["spread_ab"] > 0


def test_kernel_distance_is_measured_anew_every_few_epochs_and_repeated_between(model, batches):
    extractor = keras.Sequential([keras.Input(SHAPE), keras.layers.GlobalAveragePooling2D()])
    extractor.build()

    def features(images):
        return extractor.predict_on_batch(images.astype("float32") / 255)

    kid = KernelInceptionDistance(features, name="kid")
    values = fit(model, batches, [TranslationMetrics(batches, [kid], count=8, every=3)])["kid_ab"]
    assert values[0] == values[1]
    assert values[2] != values[1]
    assert values[3] == values[2]


def test_metrics_with_several_results_are_logged_under_their_names(batches):
    colours = np.array(FACADES_PALETTE, "uint8")
    labels = colours[np.random.default_rng(1).integers(0, 12, (4, 16, 16))] / 127.5 - 1.0
    labels = labels.astype("float32")
    scores = TranslationMetrics([(labels, labels)], [SegmentationScores(FACADES_PALETTE)])
    scores.set_model(rigged(lambda x: x))
    assert scores.measure()["mean_iou_ab"] == 1.0


def test_metrics_that_would_share_a_name_are_refused(batches):
    with pytest.raises(ValueError, match="different names"):
        TranslationMetrics(batches, [MeanAbsoluteError(), MeanAbsoluteError()])
    with pytest.raises(ValueError, match="every=0"):
        TranslationMetrics(batches, [MeanAbsoluteError()], every=0)


def test_what_can_not_be_scored_is_found_before_training(model, batches):
    scores = TranslationMetrics(batches, [SegmentationScores([(0, 0, 0), (1, 1, 1)])], count=8)
    before = model.generator_ab.get_weights()
    with pytest.raises(ValueError, match="drawn in another palette"):
        fit(model, batches, [scores])
    for one, other in zip(before, model.generator_ab.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_output_that_equals_input_raises_one_alarm_for_each_direction(batches):
    with pytest.warns(UserWarning, match="returns its input.*IdentityLoss") as caught:
        logs = watch(rigged(lambda x: 0.99 * x), batches, epochs=6)
    assert sorted(str(w.message).split()[6] for w in caught) == ["generator_ab", "generator_ba"]
    assert logs["change_ab"] == pytest.approx(0.005, abs=1e-3)


def test_outputs_that_are_all_alike_raise_the_alarm(batches):
    with pytest.warns(UserWarning, match="nearly the same output for every input"):
        logs = watch(rigged(lambda x: 0.05 * x + 0.4), batches)
    assert logs["spread_ab"] == pytest.approx(0.05, abs=1e-3)


def test_inverted_colours_raise_the_alarm(batches):
    with pytest.warns(UserWarning, match="inverts brightness or colours"):
        logs = watch(rigged(lambda x: -0.8 * x), batches)
    assert logs["correlation_ba"] == pytest.approx(-1.0)


def test_an_alarm_waits_for_epochs_in_a_row(batches):
    models = {True: rigged(lambda x: x), False: rigged(lambda x: 0.5 * x)}
    alarms = FailureAlarms(batches, patience=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch, failing in enumerate([True, True, False, True, True]):
            alarms.set_model(models[failing])
            alarms.on_epoch_end(epoch, {})
    with pytest.warns(UserWarning, match=r"For 3 epoch\(s\)"):
        alarms.on_epoch_end(5, {})


def test_a_healthy_translator_raises_no_alarm():
    _, validation = load("glyphs", batch_size=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logs = watch(CycleGAN.from_preset("glyphs"), validation, patience=1)
    assert min(logs["change_ab"], logs["change_ba"]) > 0.06
    assert min(logs["spread_ab"], logs["spread_ba"]) > 0.5
    assert min(logs["correlation_ab"], logs["correlation_ba"]) > 0.3


def test_measures_that_an_image_does_not_allow_are_left_out():
    random = np.random.default_rng(2)
    colour, gray = random.uniform(-1, 1, (4, 8, 8, 3)), random.uniform(-1, 1, (4, 8, 8, 1))
    assert set(failure_measures(colour, gray)) == {"spread", "correlation"}
    flat = np.full((4, 8, 8, 3), 0.3)
    assert set(failure_measures(flat, colour)) == {"change"}
    assert set(failure_measures(colour, flat)) == {"change", "spread"}


def test_measures_are_in_the_history_of_fit(model, batches):
    history = fit(model, batches, [FailureAlarms(batches, patience=99)], epochs=1)
    expected = {f"{name}_{way}" for name in ("change", "spread", "correlation") for way in
                ("ab", "ba")}  # fmt: skip
    assert expected <= set(history)


def test_each_column_of_the_samples_has_a_heading_above_its_images():
    model = rigged(lambda x: -x)
    images = [np.full((2, *SHAPE), value, "float32") for value in (-1, 1)]  # A black, B white
    grid = sample_grid(model, *images)
    side = SHAPE[0] + 4
    strip, rows = grid[: -2 * side], grid[-2 * side :]
    assert rows.shape == (2 * side, 6 * side, 3)
    middles = rows[side // 2, side // 2 :: side, 0]
    np.testing.assert_array_equal(middles, [0, 255, 0, 255, 0, 255])
    darkest = [strip[:, i * side : (i + 1) * side].min() for i in range(6)]
    assert max(darkest) < 128  # six words


def test_grid_shows_where_a_generator_with_masks_paints(batches):
    painter = AttentionGenerator(SHAPE, filters=2, num_blocks=0, shared_decoder=True)
    kernel = painter.get_layer("attention_head_conv").kernel
    inputs = keras.Input((None, None, 3))
    model = CycleGAN(painter, keras.Model(inputs, -inputs), None, None, image_shape=SHAPE)
    a, b = batches[0]
    kernel.assign(np.random.RandomState(0).normal(size=kernel.shape))
    grid = sample_grid(model, a[:2], b[:2])
    grid = grid[-2 * 20 :]  # below the headings
    assert grid.shape == (2 * 20, 7 * 20, 3)  # 16 pixels and a frame of 2
    mask, translated, real_b = (grid[2:18, 20 * i + 2 : 20 * i + 18] for i in (1, 2, 4))
    expected = 255 * keras.ops.convert_to_numpy(painter.foreground(a[:1]))[0]
    np.testing.assert_allclose(mask, np.repeat(expected, 3, -1), atol=0.51)
    np.testing.assert_array_equal(
        translated, from_unit(keras.ops.convert_to_numpy(painter(a[:1])))[0]
    )
    np.testing.assert_array_equal(real_b, from_unit(b[:1])[0])


@pytest.mark.parametrize(
    "callback", [FailureAlarms, TranslationMetrics, lambda d: SampleGrid("x", d)]
)
def test_no_validation_data_says_what_to_do(callback):
    with pytest.raises(ValueError, match="validation_split"):
        callback(None)
