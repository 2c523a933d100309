"""Convolutions with less work give what Keras's give, forward and back, and keep their files."""

import keras
import numpy as np
import pytest

from keras_cyclegan.layers import ReflectionPadding2D, cpu
from keras_cyclegan.layers.convolution import Conv2D, Cropping2D
from keras_cyclegan.layers.cpu import fast_paths, takes_fast_path
from keras_cyclegan.networks import ResNetGenerator

pytestmark = pytest.mark.backend
INITIAL = {"kernel_initializer": "glorot_normal", "bias_initializer": "normal"}


def images(height=6, width=8, channels=5):
    given = np.random.RandomState(0).normal(size=(2, height, width, channels))
    return keras.ops.convert_to_tensor(given.astype("float32"))


def doubled_then_convolved(layer):
    """The layers that a `Conv2D` with a mode stands for, with its weights."""
    around = ReflectionPadding2D(1) if layer.mode == "reflect" else keras.layers.ZeroPadding2D(1)
    conv = keras.layers.Conv2D(layer.filters, 3, activation=layer.activation)
    stack = keras.Sequential([keras.layers.UpSampling2D(2), around, conv])
    stack.build((None, None, None, 5))
    stack.set_weights(layer.get_weights())
    return stack


def plain_conv(layer):
    options = {"activation": layer.activation, "use_bias": layer.use_bias}
    conv = keras.layers.Conv2D(layer.filters, layer.kernel_size, **options)
    conv.build((None, None, None, 5))
    conv.set_weights(layer.get_weights())
    return conv


CASES = {
    "doubled in a mirror": (lambda: Conv2D(3, mode="reflect", **INITIAL), doubled_then_convolved),
    "doubled in zeros": (
        lambda: Conv2D(3, mode="zeros", activation="tanh", **INITIAL),
        doubled_then_convolved,
    ),
    "narrow": (lambda: Conv2D(3, (5, 7), activation="tanh", **INITIAL), plain_conv),
    "narrow without bias": (lambda: Conv2D(4, 5, use_bias=False), plain_conv),
    "too many channels for the lanes": (lambda: Conv2D(5, 5, **INITIAL), plain_conv),
    "cropped": (
        lambda: Cropping2D(((1, 0), (2, 1))),
        lambda layer: keras.layers.Cropping2D(layer.cropping),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(6, 8), (7, 9), (6, 9)])
def test_outputs_are_those_of_keras_s_layers(case, training, size):
    make, other = CASES[case]
    layer, given = make(), images(*size)
    options = {} if case == "cropped" else {"training": training}
    found = layer(given, **options)
    np.testing.assert_allclose(array(found), array(other(layer)(given)), atol=1e-5)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="has fast ways")
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_keras_s_layers(case):
    import tensorflow as tf

    make, other = CASES[case]
    layer, given = make(), images()
    weigh = None

    def gradients(layer, **options):
        nonlocal weigh
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = layer(given, **options)
            if weigh is None:
                weigh = np.random.RandomState(1).normal(size=outputs.shape)
            total = tf.reduce_sum(outputs * weigh.astype("float32"))
        return tape.gradient(total, [given, *(v.value for v in layer.trainable_variables)])

    layer(given)  # builds
    reference = other(layer)
    options = {} if case == "cropped" else {"training": True}
    for ours, theirs in zip(gradients(layer, **options), gradients(reference), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="has fast ways")
def test_fast_ways_are_taken_in_training_and_where_they_are_wanted():
    assert [takes_fast_path(given) for given in (True, False, None)] == [True, False, False]
    with fast_paths():
        assert takes_fast_path(False)
    assert not takes_fast_path(False)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="has fast ways")
@pytest.mark.parametrize(
    ("options", "size", "narrow"),
    [
        ({}, (20, 20), True),
        ({"kernel_size": (5, 9)}, (20, 20), True),
        ({}, (20, 21), False),  # an odd side of the output
        ({"padding": "same"}, (20, 20), False),
        ({"strides": 2}, (20, 20), False),
        ({"dilation_rate": 2}, (20, 20), False),
        ({"filters": 5}, (20, 20), False),
        ({"kernel_size": 3}, (20, 20), False),
    ],
)
def test_four_pixels_at_a_time_are_for_few_channels_and_large_kernels(options, size, narrow):
    layer = Conv2D(**{"filters": 3, "kernel_size": 7, **options})
    assert cpu.is_narrow(layer, images(*size)) == narrow


@pytest.mark.parametrize("size", [(None, None), (16, 8)])
def test_shapes_are_known_before_anything_is_computed(size):
    outputs = Conv2D(7, mode="reflect")(keras.Input((*size, 5)))
    assert outputs.shape == (None, *(side and 2 * side for side in size), 7)


def test_configs_round_trip():
    for make, _ in CASES.values():
        layer = make()
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_files_address_the_weights_as_those_of_keras_s_layers(upsampling, tmp_path):
    """Files of earlier versions, whose networks had Keras's layers in their place, still load."""
    h5py = pytest.importorskip("h5py")
    network = ResNetGenerator(
        (16, 16, 3), filters=4, num_blocks=1, upsampling=upsampling, affine_norm=True
    )
    network.save_weights(tmp_path / "own.weights.h5")
    with h5py.File(tmp_path / "own.weights.h5") as file:
        names = {name for name, group in file["layers"].items() if len(group["vars"])}
    count = 8 if upsampling == "resize" else 6
    expected = {f"conv2d_{i}" if i else "conv2d" for i in range(count)}
    expected |= {f"group_normalization_{i}" if i else "group_normalization" for i in range(7)}
    if upsampling == "transposed":
        expected |= {"conv2d_transpose", "conv2d_transpose_1"}
    assert names == expected
