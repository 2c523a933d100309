"""Contrast of patches: its value by hand, and a run that has it in place of the cycle."""

import keras
import numpy as np
import pytest
from support.plain_networks import plain_network

from keras_cyclegan import CycleGAN
from keras_cyclegan.losses import PatchNCELoss, PatchNCETerm
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator

SHAPE = (32, 32, 3)


def test_each_patch_is_found_among_all_by_the_cosine_over_the_temperature():
    keys, queries = np.random.default_rng(0).normal(size=(2, 3, 4, 8)).astype("float32")
    k, q = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (keys, queries))
    logits = q @ k.transpose(0, 2, 1) / 0.07
    right = np.diagonal(logits, axis1=1, axis2=2)
    expected = 2 * np.mean(np.log(np.exp(logits).sum(axis=-1)) - right)
    assert float(PatchNCELoss(2.0)(k, q)) == pytest.approx(expected, rel=1e-4)


def test_both_directions_train_without_a_cycle_and_the_small_networks_are_saved(tmp_path):
    networks = [ResNetGenerator(SHAPE, filters=2, num_blocks=1) for _ in range(2)]
    networks += [PatchDiscriminator(SHAPE, 2, num_layers=1) for _ in range(2)]
    model = CycleGAN(*networks, image_shape=SHAPE, pool_size=0)
    term = PatchNCETerm(patches=8)
    model.compile(cycle_loss=None, identity_loss=None, terms=[term], run_eagerly=True)
    project = term.projections["ab"][0]
    before = project.get_weights()[0]
    a, b = np.random.default_rng(1).uniform(-1, 1, (2, 2, *SHAPE)).astype("float32")
    history = model.fit(a, b, batch_size=2, verbose=0).history
    assert {"nce_a", "nce_b", "nce_same_a", "nce_same_b"} <= set(history)
    assert np.abs(project.get_weights()[0] - before).max() > 0
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    (loaded,) = again.added_terms
    np.testing.assert_array_equal(
        loaded.projections["ab"][0].get_weights()[0], project.get_weights()[0]
    )


def test_generators_whose_layers_are_not_known_are_refused():
    judge, plain = (plain_network(name) for name in ("discriminator_b", "generator_ab"))
    model = CycleGAN(plain, None, None, judge, image_shape=(16, 16, 3))
    for term in (PatchNCETerm(), PatchNCETerm(names_of_layers=["no"])):
        with pytest.raises(ValueError, match=r"names of the generators' layers.*(Functional|no)"):
            model.compile(cycle_loss=None, identity_loss=None, terms=[term])
