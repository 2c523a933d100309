"""Penalties on a discriminator's slope, against derivatives that are known."""

import keras
import numpy as np
import pytest
from support.gradients import input_gradient

from keras_cyclegan.layers.pool import random_integers
from keras_cyclegan.losses import GradientPenalty

pytestmark = pytest.mark.backend


def images(seed):
    given = np.random.RandomState(seed).uniform(-1, 1, (3, 4, 4, 2)).astype("float32")
    return keras.ops.convert_to_tensor(given)


def cubes(given):
    """Two maps of logits, whose mean over maps and patches is mean(x³) + 0.5."""
    return [2 * given**3, given[:, :1, :1] * 0 + 1.0]


def squared_slope(given):
    given = keras.ops.convert_to_numpy(given)
    return ((3 * given**2 / given[0].size) ** 2).sum(axis=(1, 2, 3))


def between(penalty, real, fake, step):
    """What lies between real and translated images, each at a place drawn for it."""
    draws = keras.ops.convert_to_numpy(random_integers(np.array([penalty.seed, step]), 3))
    part = (draws / 2.0**31).reshape(3, 1, 1, 1)
    assert len({*part.ravel()}) == 3
    real, fake = (keras.ops.convert_to_numpy(x) for x in (real, fake))
    return fake + part * (real - fake)


def value(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def test_r1_is_the_mean_squared_slope_on_real_images():
    penalty = GradientPenalty("r1", weight=5.0, every=1)
    found = value(penalty(cubes, images(0), images(1), 0, input_gradient))
    assert found == pytest.approx(0.5 * 5 * squared_slope(images(0)).mean(), rel=1e-4)


def test_wgan_gp_penalises_gradients_unlike_one_between_real_and_translated_images():
    penalty = GradientPenalty("wgan_gp", weight=2.0, seed=3)
    found = value(penalty(cubes, images(0), images(1), 7, input_gradient))
    slope = np.sqrt(squared_slope(between(penalty, images(0), images(1), step=7)))
    assert found == pytest.approx(2 * ((slope - 1) ** 2).mean(), rel=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="differentiates by a tape")
@pytest.mark.parametrize("kind", ["r1", "wgan_gp"])
def test_the_penalty_s_gradient_reaches_the_discriminator_s_weights(kind):
    import tensorflow as tf

    weight = tf.Variable(1.5)
    penalty = GradientPenalty(kind, weight=1.0)

    @tf.function
    def gradient(step):
        with tf.GradientTape() as tape:
            judge = lambda given: weight * given**3  # noqa: E731
            total = penalty(judge, images(0), images(1), step, input_gradient)
        return tape.gradient(total, weight)

    if kind == "r1":  # ½ · w² · s, of which the derivative by w is w · s
        expected = 1.5 * squared_slope(images(0)).mean()
    else:  # (w · √s − 1)²
        slope = np.sqrt(squared_slope(between(penalty, images(0), images(1), step=0)))
        expected = (2 * (1.5 * slope - 1) * slope).mean()
    assert float(gradient(tf.constant(0))) == pytest.approx(expected, rel=1e-4)


def test_config_round_trip():
    penalty = GradientPenalty("wgan_gp", weight=3.0, seed=1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert (
        again.get_config()
        == penalty.get_config()
        == {"kind": "wgan_gp", "weight": 3.0, "every": 1, "seed": 1}
    )
    assert GradientPenalty().every == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "r3"}, "kind='r3'"), ({"weight": -1}, "weight=-1")],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GradientPenalty(**options)
