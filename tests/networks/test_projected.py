"""Discriminators on frozen features: what they judge, and what of them is saved."""

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import (
    ProjectedDiscriminator,
    ResNetGenerator,
    efficientnet,
    encoders,
)
from keras_cyclegan.networks.projected import ProjectedFeatures, _Projection

VARIANT = "efficientnet-lite1"
PACKAGE = efficientnet.VARIANTS[VARIANT].package.replace("-", "_")
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed"
)
SHAPE = (32, 32, 3)


def own_features():
    """A small network with three maps, at strides 4, 8 and 16."""
    images = keras.Input((None, None, 3))
    x, maps = images, []
    for i, strides in enumerate((4, 2, 2)):
        start = keras.initializers.GlorotUniform(seed=i)
        conv = keras.layers.Conv2D(4 + i, 4, strides, "same", kernel_initializer=start)
        maps.append(x := conv(x))
    return keras.Model(images, maps)


def make(features=None, **kwargs):
    options = {"filters": 8, "pixel_filters": 4, **kwargs}
    return ProjectedDiscriminator(SHAPE, features or own_features(), **options)


def images(height=32, width=32, count=1, channels=3):
    shape = (count, height, width, channels)
    return np.random.RandomState(0).uniform(-1, 1, shape).astype("float32")


def judge(network, given, **kwargs):
    return [keras.ops.convert_to_numpy(logits) for logits in network(given, **kwargs)]


@needs_weights
def test_heads_judge_patches_at_four_scales_and_pixels_beside_them():
    network = ProjectedDiscriminator((128, 128, 3))
    shapes = [(1, 8, 8, 1), (1, 8, 8, 1), (1, 8, 8, 1), (1, 4, 4, 1), (1, 14, 14, 1)]
    assert [logits.shape for logits in judge(network, images(128, 128))] == shapes
    assert network.compute_output_shape((1, 128, 128, 3)) == shapes


@needs_weights
@pytest.mark.parametrize(("height", "width"), [(36, 64), (50, 41)])
def test_any_size_is_judged(height, width):
    maps = judge(ProjectedDiscriminator(SHAPE, filters=8, pixel_filters=0), images(height, width))
    assert [logits.shape[1] for logits in maps] == [-(-height // s) for s in (4, 8, 16, 32)]


def test_features_are_mixed_across_channels_and_from_coarse_to_fine():
    extract = own_features()
    projection = _Projection(extract, 3, seed=5)
    random = np.random.RandomState(5)
    across = [random.standard_normal((1, 1, c, 64)) / np.sqrt(c) for c in (4, 5, 6)]
    down = [random.standard_normal((3, 3, 64, 64)) / np.sqrt(9 * 64) for _ in range(2)]
    maps = [keras.ops.convert_to_numpy(x) for x in extract(images())]
    mixed = [keras.ops.convert_to_numpy(x) for x in projection(images())]

    expected = maps[2] @ across[2][0, 0]
    np.testing.assert_allclose(mixed[2], expected, atol=1e-4)
    for i in (1, 0):
        padded = np.pad(expected, ((0, 0), (1, 1), (1, 1), (0, 0)))
        side = expected.shape[1]
        above = sum(
            padded[:, y : y + side, x : x + side] @ down[i][y, x]
            for y in range(3)
            for x in range(3)
        )
        expected = maps[i] @ across[i][0, 0] + doubled(above)
        np.testing.assert_allclose(mixed[i], expected, atol=1e-3)


def doubled(x):
    """Bilinear, pixel centres aligned as Pillow and torch do."""
    side = x.shape[1]
    places = np.clip((np.arange(2 * side) + 0.5) / 2 - 0.5, 0, side - 1)
    low = np.floor(places).astype(int)
    high, part = np.minimum(low + 1, side - 1), places - low
    weights = np.zeros((2 * side, side))
    np.add.at(weights, (np.arange(2 * side), low), 1 - part)
    np.add.at(weights, (np.arange(2 * side), high), part)
    return np.einsum("ij,njkc,lk->nilc", weights, x, weights)


def test_frozen_weights_are_neither_counted_nor_trained_nor_saved(tmp_path):
    network = make(num_scales=2)
    judge(network, images())  # makes the frozen part
    own = [layer for layer in network.layers if isinstance(layer, ProjectedFeatures)]
    assert [layer.weights for layer in own] == [[]]
    heads = sum(np.prod(w.shape) for w in network.weights)
    assert network.count_params() == heads < 30_000
    network.save_weights(tmp_path / "d.weights.h5")
    assert (tmp_path / "d.weights.h5").stat().st_size < 4 * heads + 100_000


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="differentiates by a tape")
def test_gradients_reach_the_images_through_every_map():
    import tensorflow as tf

    network = make(pixel_filters=0)
    given = tf.constant(images())
    for i in range(3):
        with tf.GradientTape() as tape:
            tape.watch(given)
            total = tf.reduce_sum(network(given)[i])
        assert np.any(tape.gradient(total, given))


@needs_weights
def test_seed_fixes_the_mixing_and_nothing_of_it_is_stored():
    same, other = (ProjectedDiscriminator(SHAPE, filters=8, seed=seed) for seed in (0, 1))
    network = ProjectedDiscriminator.from_config(
        ProjectedDiscriminator(SHAPE, filters=8, seed=0).get_config()
    )
    for copy in (same, other):
        copy.set_weights(network.get_weights())
    first, second, third = (judge(n, images())[0] for n in (network, same, other))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.abs(first - third).max() > 1e-3


def test_augmentation_acts_in_training_only():
    network = make(augmentation={"brightness": 0.5, "seed": 0})
    plain = judge(network, images())
    np.testing.assert_array_equal(judge(network, images())[0], plain[0])
    assert np.abs(judge(network, images(), training=True)[-1] - plain[-1]).max() > 1e-6


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_and_features_are_float32_under_each_policy(policy):
    network = make(dtype=policy)
    assert {keras.backend.standardize_dtype(x.dtype) for x in network(images())} == {"float32"}
    assert network.get_layer("features").compute_dtype == "float32"
    assert network.get_layer("scale1_conv1").layer.compute_dtype == policy.removeprefix("mixed_")


def test_grayscale_images_are_judged():
    network = ProjectedDiscriminator((32, 32, 1), own_features(), filters=8, pixel_filters=0)
    assert len(judge(network, images(channels=1))) == 3


@needs_weights
def test_a_preset_holds_the_heads_and_goes_on_training(tmp_path):
    generators = [ResNetGenerator(SHAPE, filters=2, num_blocks=1) for _ in range(2)]
    judges = [
        ProjectedDiscriminator(SHAPE, filters=8, pixel_filters=4, augmentation={}) for _ in range(2)
    ]
    model = CycleGAN(*generators, *judges, image_shape=SHAPE, pool_size=2)
    model.compile(run_eagerly=True)
    before = judges[0].get_weights()
    losses = model.train_on_batch(images(), images(), return_dict=True)
    assert all(np.isfinite(value) for value in losses.values())
    assert any(np.any(a != b) for a, b in zip(before, judges[0].get_weights(), strict=True))

    model.save_to_preset(tmp_path / "preset", half_precision=True)
    assert (tmp_path / "preset" / "discriminators.weights.h5").stat().st_size < 200_000
    copy = CycleGAN.from_preset(str(tmp_path / "preset"))
    for one, other in zip(
        judge(model.discriminator_a, images()), judge(copy.discriminator_a, images()), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=0.02)
    copy.compile(run_eagerly=True)
    copy.train_on_batch(images(), images())


def test_without_the_package_a_preset_translates_and_training_says_what_to_install(
    tmp_path, monkeypatch
):
    absent = dataclasses.replace(efficientnet.VARIANTS[VARIANT], package="no-such-package")
    monkeypatch.setitem(efficientnet.VARIANTS, VARIANT, absent)
    efficientnet.folded_state.cache_clear()  # which has been read in this process
    generators = [ResNetGenerator(SHAPE, filters=2, num_blocks=1) for _ in range(2)]
    judges = [ProjectedDiscriminator(SHAPE, filters=8, pixel_filters=4, seed=99) for _ in range(2)]
    CycleGAN(*generators, *judges, image_shape=SHAPE).save_to_preset(tmp_path / "preset")
    model = CycleGAN.from_preset(str(tmp_path / "preset"))
    assert model.translate(np.zeros((32, 32, 3), "uint8")).shape == (32, 32, 3)
    model.compile()
    with pytest.raises(ImportError, match="pip install no-such-package"):
        model.train_on_batch(images(), images())


def test_networks_of_keras_applications_are_tapped_at_four_strides_and_named_with_their_hash(
    monkeypatch,
):
    made = []

    def mobile_net(**options):
        made.append(keras.applications.MobileNet(**{**options, "weights": None, "alpha": 0.25}))
        return made[-1]

    application = mobile_net, keras.applications.mobilenet.preprocess_input
    monkeypatch.setattr(encoders, "find_application", lambda *names: application)
    network = make("MobileNetOfThisTest")
    assert network.get_config()["features_hash"] is None
    judge(network, images())
    names = [f"conv_pw_{i}_relu" for i in (3, 5, 11, 13)]
    taps = keras.Model(made[0].input, [made[0].get_layer(name).output for name in names])
    projection = network.get_layer("features")._network()
    shown = images(64, 64)
    for found, expected in zip(projection.network(shown), taps(shown), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    judge(ProjectedDiscriminator.from_config(network.get_config()), images())


def test_networks_without_maps_at_the_strides_are_refused(monkeypatch):
    def coarse(input_shape, **options):
        pixels = keras.Input(input_shape)
        half = keras.layers.Conv2D(2, 2, 2)(pixels)
        return keras.Model(pixels, keras.layers.Conv2D(2, 8, 8)(half))

    monkeypatch.setattr(encoders, "find_application", lambda *names: (coarse, lambda x: x))
    with pytest.raises(ValueError, match="CoarseOfThisTest has none at 4 and 8 and 32"):
        judge(make("CoarseOfThisTest"), images())


def test_features_of_your_own_are_not_saved(tmp_path):
    network = make()
    copy = ProjectedDiscriminator.from_config(network.get_config())
    copy.set_weights(network.get_weights())
    assert copy.features == "own"
    with pytest.raises(ValueError, match="your own model"):
        copy(images())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (32, 32, 4)}, r"1 or 3 channels. Received image_shape=\(32, 32, 4\)"),
        ({"num_scales": 5}, "1 to 4 here. Received num_scales=5"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ProjectedDiscriminator(**{"image_shape": SHAPE, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "NoNet"}, "Received 'NoNet'"),
        ({"features_hash": "0" * 64}, "whose SHA-256 is 000"),
    ],
)
def test_unknown_features_are_refused_when_they_are_needed(options, message):
    network = ProjectedDiscriminator(SHAPE, **options)
    with pytest.raises(ValueError, match=message):
        network(images())
