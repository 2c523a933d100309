"""Instance norm, in training and outside of it, against its formula."""

import keras
import numpy as np
import pytest

from keras_cyclegan.layers import InstanceNormalization
from keras_cyclegan.layers.instance_norm import MOST_IMAGES

pytestmark = pytest.mark.backend
IMAGES = np.random.RandomState(0).normal(3, 2, (3, 4, 5, 2)).astype("float32")
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="has a fused operation on TensorFlow only"
)


def expected(images):
    images = images.astype("float64")
    mean, variance = (f(images, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    return (images - mean) / np.sqrt(variance + 1e-5)


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
@pytest.mark.parametrize("count", [1, 3, None, MOST_IMAGES + 1])
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
    rounded = keras.ops.convert_to_numpy(keras.ops.cast(given, "float32"))
    found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
    np.testing.assert_allclose(found, expected(rounded), atol=0.05)


def test_config_round_trip():
    layer = InstanceNormalization(epsilon=1e-3, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.epsilon, copy.name, type(copy)) == (1e-3, "mine", InstanceNormalization)


@on_tensorflow
def test_the_fused_operation_is_taken_where_there_is_no_gpu(monkeypatch):
    import tensorflow as tf

    from keras_cyclegan.layers.fast_paths import _tensorflow_computes_on_the_processor

    layer = InstanceNormalization()
    layer.build(IMAGES.shape)

    def fused(gpus):
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: gpus)
        _tensorflow_computes_on_the_processor.cache_clear()
        step = tf.function(lambda images: layer(images, training=True))
        graph = step.get_concrete_function(tf.TensorSpec(IMAGES.shape)).graph
        return any("FusedBatchNorm" in operation.type for operation in graph.get_operations())

    assert fused([])
    assert not fused(["gpu:0"])
    monkeypatch.undo()
    _tensorflow_computes_on_the_processor.cache_clear()
