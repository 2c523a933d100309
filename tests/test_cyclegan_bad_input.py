"""Bad networks, losses and batches are refused, with an error that says what to do."""

import numpy as np
import pytest
import tensorflow as tf
from cyclegan_helpers import IMAGES_A, IMAGES_B, compiled, fit, make_model, make_networks, state

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator


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
