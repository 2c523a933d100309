"""A saved and reloaded CycleGAN goes on as if it had never stopped."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cyclegan_helpers import (
    FOUR_EPOCHS,
    IMAGES_A,
    IMAGES_B,
    LOSSES,
    NETWORKS,
    assert_same_state,
    compiled,
    fit,
    make_model,
    make_networks,
    make_plain_model,
    not_on_torch,
    pairs,
    rates_of,
    untrained_model,
    weights,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss, IdentityLoss


@pytest.fixture
def untrained(monkeypatch):
    return untrained_model(monkeypatch)


@pytest.mark.backend
def test_saved_and_reloaded_model_goes_on_as_if_it_had_never_stopped(tmp_path):
    data = pairs(4)
    model = compiled(make_plain_model())
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
    model, copy = compiled(make_plain_model()), compiled(make_plain_model(seed=3))
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
    assert not copy.optimizer.rate_schedules
    json.dumps(copy.get_compile_config())
    model.compile_from_config({**copy.get_compile_config(), "monitor_gradients": True})  # earlier


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


@not_on_torch
@pytest.mark.backend
def test_loss_scaling_survives_a_reload(tmp_path):
    model = compiled(make_model(dtype="mixed_float16"))
    before = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    fit(model, pairs(2))
    after = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    assert all(np.isfinite(value).all() for value in after)
    assert any(np.abs(new - old).max() > 1e-5 for new, old in zip(after, before, strict=True))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)
    assert_same_state(copy, model)
    assert float(copy.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale)


def test_loss_scaling_that_was_turned_off_stays_off(tmp_path):
    model = compiled(make_model(dtype="mixed_float16"), auto_scale_loss=False)
    assert not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert not isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)
