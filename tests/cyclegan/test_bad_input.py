"""Bad networks, losses and batches are refused, with an error that says what to do."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cyclegan_helpers import (
    IMAGES_A,
    IMAGES_B,
    NETWORKS,
    compiled,
    fit,
    make_model,
    make_networks,
    pairs,
    state,
    untrained_model,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import unpaired_dataset
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator


@pytest.fixture
def untrained(monkeypatch):
    return untrained_model(monkeypatch)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tf.data.Dataset.from_tensors(IMAGES_A), r"a pair .* one .* of shape \(6, 16, 16, 3\)"),
        (IMAGES_A, r"a pair .* one .* of shape \(6, 16, 16, 3\)"),
        ([IMAGES_A, IMAGES_B], r"arguments, `fit\(a, b\)`, .* Received one list of 2"),
        (tf.data.Dataset.from_tensors((IMAGES_A,) * 3), "a pair .* one tuple of 3"),
        (tf.data.Dataset.from_tensors({"a": IMAGES_A}), r"a pair .* one dict with keys \['a'\]"),
        (tf.data.Dataset.from_tensors((IMAGES_A[..., :1], IMAGES_B)), "domain A .* width, 3"),
        (tf.data.Dataset.from_tensors((IMAGES_A, IMAGES_B[..., :2])), r"domain B .*16, 16, 2\)"),
        (tf.data.Dataset.from_tensors((IMAGES_A[0], IMAGES_B[0])), r"domain A .*\(16, 16, 3\)"),
        (
            tf.data.Dataset.from_tensors((np.zeros((1, 20, 20, 3), "float32"),) * 2),
            r"stores images of shape \(16, 16, 3\). Received .*\(20, 20, 3\)",
        ),
    ],
    ids=[
        "one",
        "array_alone",
        "list_of_two",
        "three",
        "dict",
        "channels_a",
        "channels_b",
        "no_batch",
        "size",
    ],
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
    with pytest.raises(ValueError, match="no discriminator_b: give"):
        model.compile()


@pytest.mark.parametrize(
    ("name", "network", "message"),
    [
        (
            "generator_ba",
            lambda: ResNetGenerator((16, 16, 3), 1, 4, 1),
            r"generator_ba is for \[3, 1\], not \[3, 3\]",
        ),
        (
            "discriminator_b",
            lambda: PatchDiscriminator((16, 16, 1), 4, 1),
            r"discriminator_b is for \[1\], not \[3\]",
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
        ({"terms": ["edges"]}, "`terms` must be a list of .*Term.* Received 'edges'"),
        ({"adversarial_loss": None}, "`adversarial_loss` must be an `AdversarialLoss`"),
    ],
)
def test_compile_refuses_unknown_losses(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model().compile(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "adam"}, "unexpected keyword argument 'optimizer'"),
        ({"weight_a": -1.0}, "`weight_a` must be .* Received weight_a=-1.0"),
        ({"weight_b": "10"}, "`weight_b` must be .* Received weight_b='10'"),
        ({"cycle_loss": 3}, "Received norm=3"),
        ({"perceptual_loss": "vgg19"}, "Received extractor='vgg19'"),
    ],
)
def test_compile_refuses_unknown_arguments(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_model().compile(**arguments)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("resnet", "`discriminator_b` must be a `keras.Model`.* Received 'resnet'"),
        (PatchDiscriminator, "`discriminator_b` must be a `keras.Model`.* Received <class"),
    ],
    ids=["string", "class"],
)
def test_what_is_no_network_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        CycleGAN(**{**make_networks(), "discriminator_b": network}, image_shape=(16, 16, 3))


@pytest.mark.parametrize("shape", [16, (16, 16), (16, 16, None), (0, 16, 3), (16.0, 16, 3)])
def test_what_is_no_image_shape_is_refused(shape):
    with pytest.raises(ValueError, match=re.escape(f"Received image_shape={shape}")):
        CycleGAN(image_shape=shape)


def halving():
    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, 2, "same")])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator_ab": halving}, r"generator_ab must .* 16×16 .* makes 8 × 8 × 3"),
        (
            {"discriminator_a": lambda: PatchDiscriminator((None, None, 3), 4, 4)},
            r"discriminator_a can't take images of 16×16",
        ),
    ],
)
def test_compile_refuses_networks_that_do_not_fit_the_image_size(changes, message):
    networks = {**make_networks(), **{name: make() for name, make in changes.items()}}
    with pytest.raises(ValueError, match=message):
        CycleGAN(**networks, image_shape=(16, 16, 3)).compile()


@pytest.mark.parametrize("pair", [NETWORKS[:2], NETWORKS[2:]])
def test_compile_refuses_one_network_for_both_directions(pair):
    networks = make_networks()
    networks[pair[1]] = networks[pair[0]]
    with pytest.raises(ValueError, match="make two"):
        CycleGAN(**networks, image_shape=(16, 16, 3)).compile()


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-4),
        keras.callbacks.ReduceLROnPlateau(monitor="loss"),
    ],
)
def test_a_callback_and_a_schedule_for_one_rate_are_refused_before_training(callback):
    model = compiled()
    for callbacks in (callback, [callback], keras.callbacks.CallbackList([callback])):
        with pytest.raises(ValueError, match=f"{type(callback).__name__} sets the learning rate"):
            fit(model, callbacks=callbacks)
    assert int(model.optimizer.iterations) == 0


def test_training_before_compile_says_so():
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        fit(make_model())


class Batches(keras.utils.PyDataset):
    def __init__(self, a, b):
        super().__init__()
        self.pair = a, b

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.pair


def each_kind_of_data(a, b):
    """Arguments of `fit`."""
    yield {"x": a, "y": b}
    yield {"x": tf.data.Dataset.from_tensors((a, b))}
    yield {"x": Batches(a, b)}
    yield {"x": (pair for pair in [(a, b)]), "steps_per_epoch": 1}


@pytest.mark.backend
@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (np.nan, "float32", "domain B: .* NaN"),
        (255, "float32", r"domain B: .*\[-1, 1\].* to 255"),
        (255, "uint8", "domain B: .*to_unit"),
    ],
)
def test_values_that_no_generator_gives_are_refused_before_training(value, dtype, message):
    model = compiled()
    images = np.zeros((2, 16, 16, 3), dtype)
    images[1, 3, 4, 2] = value
    for data in each_kind_of_data(np.zeros_like(images), images):
        with pytest.raises(ValueError, match=message):
            model.fit(**data, verbose=0)
    assert int(model.optimizer.iterations) == 0


def test_images_scaled_to_0_and_1_raise_a_warning(untrained):
    dark = 0.5 * IMAGES_A + 0.5
    with pytest.warns(UserWarning, match=r"below 0.*`2 \* images - 1`"):
        fit(untrained, dark, y=dark)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(untrained, IMAGES_A, y=dark)


def test_each_kind_of_data_trains_without_a_warning(untrained):
    for data in each_kind_of_data(IMAGES_A[:2], IMAGES_B[:2]):
        before = int(untrained.optimizer.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            untrained.fit(**data, verbose=0)
        assert int(untrained.optimizer.iterations) == before + 1


def test_dataset_without_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"no batch.*`batch_size`"):
        fit(compiled(), pairs(1).batch(8, drop_remainder=True))


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="about torch")
@pytest.mark.parametrize(
    ("dtype", "options", "message"),
    [(None, {"jit_compile": True}, "jit_compile=False"), ("mixed_float16", {}, "mixed_bfloat16")],
)
def test_torch_says_what_it_cannot_do(dtype, options, message):
    model = make_model(dtype=dtype)
    model.compile(**options)
    with pytest.raises(ValueError, match=message):
        fit(model, pairs(2))


def test_images_of_another_size_than_the_model_are_found_before_the_first_step(monkeypatch):
    monkeypatch.setattr(CycleGAN, "train_step", None)  # nothing may be traced
    images = np.zeros((3, 24, 24, 3), "uint8")
    with pytest.raises(ValueError, match=r"shape \(16, 16, 3\).*Received images of shape \(24, 24"):
        compiled().fit(unpaired_dataset(images, images))
