"""Instance norm, in training and outside of it, against its formula."""

import contextlib

import keras
import numpy as np
import pytest
from support.gradients import input_gradient

from keras_cyclegan.layers import InstanceNormalization, cpu
from keras_cyclegan.layers.cpu import MAX_IMAGES, fast_paths
from keras_cyclegan.layers.normalization import GroupNormalization

pytestmark = pytest.mark.backend
IMAGES = np.random.RandomState(0).normal(3, 2, (3, 4, 5, 2)).astype("float32")
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="has a fused operation on TensorFlow only"
)


def expected(images):
    images = images.astype("float64")
    mean, variance = (f(images, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    return (images - mean) / np.sqrt(variance + 1e-5)


def as_float32(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def expected_gradient(images, weights):
    """Of the sum of `weights` times the normalised images."""
    scale = 1 / np.sqrt(np.var(images, axis=(1, 2), keepdims=True) + 1e-5)
    normalised = expected(images)
    means = [np.mean(x, axis=(1, 2), keepdims=True) for x in (weights, weights * normalised)]
    return scale * (weights - means[0] - normalised * means[1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_each_channel_of_each_image_is_normalised_by_itself(count, training):
    found = InstanceNormalization()(IMAGES[:count], training=training)
    found = keras.ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, expected(IMAGES[:count]), atol=1e-5)


@on_tensorflow
def test_a_graph_for_any_number_of_images_normalises_each_by_one_operation():
    import tensorflow as tf

    layer = InstanceNormalization()

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2))])
    def normalise(images):
        with fast_paths():
            return layer(images)

    for count in (1, 3):
        found = normalise(IMAGES[:count]).numpy()
        np.testing.assert_allclose(found, expected(IMAGES[:count]), atol=1e-5)
    graph = normalise.get_concrete_function().graph
    assert sum("FusedBatchNorm" in operation.type for operation in graph.get_operations()) == 1


@on_tensorflow
@pytest.mark.parametrize("count", [1, 3, None, MAX_IMAGES + 1])
def test_gradients_in_training_are_those_of_the_formula(count):
    import tensorflow as tf

    images = np.concatenate([IMAGES] * 4)[: count or 3]
    weights = np.random.RandomState(1).normal(size=images.shape).astype("float32")
    layer = InstanceNormalization()

    @tf.function(input_signature=[tf.TensorSpec((count, None, None, 2))] * 2)
    def gradient(images, weights):
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(weights * layer(images, training=True))
        return tape.gradient(total, images)

    found = gradient(images, weights).numpy()
    np.testing.assert_allclose(found, expected_gradient(images, weights), atol=1e-5)


@on_tensorflow
def test_the_gradient_of_the_gradient_is_there_for_penalties():
    import tensorflow as tf

    layer, images = InstanceNormalization(), tf.constant(IMAGES)

    def slopes(training):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                total = tf.reduce_sum(layer(images, training=training) ** 3)
            slope = tf.reduce_sum(inner.gradient(total, images) ** 2)
        return outer.gradient(slope, images).numpy()

    np.testing.assert_allclose(slopes(True), slopes(False), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_are_float32_under_every_policy(policy):
    images = IMAGES + 300.0  # whose squares float16 doesn't hold
    given = keras.ops.cast(images, policy.removeprefix("mixed_"))
    found = InstanceNormalization(dtype=policy)(given, training=True)
    np.testing.assert_allclose(as_float32(found), expected(as_float32(given)), atol=0.05)


@pytest.mark.parametrize("layer", [InstanceNormalization, GroupNormalization])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("fast", [False, True])
def test_a_channel_of_one_value_is_zero_and_not_the_rounding_of_its_mean(layer, policy, fast):
    """The others are what they are without it, and so is one whose corners alone are equal."""
    images = np.random.RandomState(0).normal(3, 2, (2, 127, 93, 6)).astype("float32")
    values = np.array([0.1, -1 / 3, 1.2545849, 7e5], "float32")
    images[..., :4] = values
    images[0, ..., 0] = 5.3  # each image has its own
    images[:, [0, 0, -1, -1], [0, -1, 0, -1], 4] = 0.7
    given = keras.ops.cast(images, policy.removeprefix("mixed_"))
    with fast_paths() if fast else contextlib.nullcontext():
        found = layer(dtype=policy)(given)
    rounded, found = as_float32(given), as_float32(found)
    assert (found[..., :4] == 0).all()
    atol = 1e-4 if policy == "float32" else 0.03
    np.testing.assert_allclose(found[..., 4:], expected(rounded[..., 4:]), atol=atol)


def test_a_channel_of_one_value_has_the_gradient_of_the_formula():
    images = IMAGES[:1].copy()
    images[..., 0] = 0.3
    weights = np.random.RandomState(1).normal(size=images.shape).astype("float32")
    layer = InstanceNormalization()
    layer.build(images.shape)
    images, weights = (keras.ops.convert_to_tensor(x) for x in (images, weights))
    found = input_gradient(lambda x: keras.ops.sum(layer(x) * weights), images)
    images, weights, found = (as_float32(x) for x in (images, weights, found))
    np.testing.assert_allclose(found, expected_gradient(images, weights), rtol=1e-4, atol=1e-4)


def test_config_round_trip():
    layer = InstanceNormalization(epsilon=1e-3, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.epsilon, copy.name, type(copy)) == (1e-3, "mine", InstanceNormalization)


@on_tensorflow
def test_the_fused_operation_is_taken_where_there_is_no_gpu(monkeypatch):
    import tensorflow as tf

    layer = InstanceNormalization()
    layer.build(IMAGES.shape)

    def fused(gpus):
        monkeypatch.setattr(cpu, "has_accelerator", lambda: gpus)
        step = tf.function(lambda images: layer(images, training=True))
        graph = step.get_concrete_function(tf.TensorSpec(IMAGES.shape)).graph
        return any("FusedBatchNorm" in operation.type for operation in graph.get_operations())

    assert fused(False)
    assert not fused(True)
