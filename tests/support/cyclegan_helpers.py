"""Small models, their data, and what tests of `CycleGAN` look at."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.plain_networks import plain_network
from support.step_inputs import NETWORKS, draw_weights

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.passes import Batch

array = keras.ops.convert_to_numpy
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="looks into a step, or compiles, with TensorFlow",
)
not_on_torch = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch trains in float16 on a GPU only"
)
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
    # Without residual blocks, which would be a quarter of what is traced and compiled.
    options = {"filters": 4, "num_blocks": 0, "dtype": dtype}
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


def make_plain_model(pool_size=2, seed=0, real=()):
    """Of plain networks, but those whose names are in `real`, which are `make_model`'s."""
    keras.utils.set_random_seed(seed)
    made = make_networks() if real else {}
    networks = {}
    for i, name in enumerate(NETWORKS):
        networks[name] = made[name] if name in real else plain_network(name)
        weights = draw_weights([w.shape for w in networks[name].weights], 10 * seed + i)
        networks[name].set_weights(weights)
    return CycleGAN(**networks, image_shape=(16, 16, 3), pool_size=pool_size)


def compiled(model=None, run_eagerly=None, **kwargs):
    """Eager, because tracing costs more than the few steps of a test; but JAX compiles every
    operation by itself then, and keeps whole steps for the tests after this one.
    """
    model = model or make_model()
    if run_eagerly is None:
        run_eagerly = keras.backend.backend() != "jax"
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


def generator_losses(model, a, b, training):
    """The generators' terms, and what discriminators are shown of A and of B."""
    losses, fakes = model.objective(Batch(a=a, b=b), training=training)
    return losses, (fakes["a"], fakes["b"])


def discriminator_losses(model, a, b, fake_a, fake_b, training):
    return model.game(Batch(a=a, b=b), {"a": fake_a, "b": fake_b}, training=training)


def sgd():
    return {
        "generator_optimizer": keras.optimizers.SGD(0.01),
        "discriminator_optimizer": keras.optimizers.SGD(0.01),
    }


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


def untrained_model(monkeypatch):
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
