"""Small models and checkpoints that the tests of presets share."""

import keras
import numpy as np
import pytest

import keras_cyclegan as kcg


def small_model(**arguments):
    """Two directions, 3 channels in A and 1 in B, a few thousand weights."""
    networks = kcg.networks
    return kcg.CycleGAN(
        **{
            "generator_ab": networks.ResNetGenerator((32, 32, 3), 1, filters=2, num_blocks=1),
            "generator_ba": networks.ResNetGenerator((32, 32, 1), 3, filters=2, num_blocks=2),
            "discriminator_a": networks.PatchDiscriminator((32, 32, 3), filters=2, num_layers=1),
            "discriminator_b": networks.PatchDiscriminator((32, 32, 1), filters=2, num_layers=2),
            "image_shape": (32, 32, 3),
            "pool_size": 3,
            **arguments,
        }
    )


def weights_of(network):
    return [keras.ops.convert_to_numpy(weight) for weight in network.weights]


def assert_same_weights(network, other, tolerance=0.0):
    for one, two in zip(weights_of(network), weights_of(other), strict=True):
        np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


def have_same_weights(network, other):
    pairs = zip(weights_of(network), weights_of(other), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


def images(network, size=32, seed=0):
    shape = (1, size, size, network.input_shape[-1])
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def torch_modules():
    """torch and the independent PyTorch networks, or a skip that says why."""
    torch = pytest.importorskip("torch", reason="conversions are compared with real torch")
    from support import torch_reference

    return torch, torch_reference
