"""Draws in NumPy are those of TensorFlow, bit by bit."""

import numpy as np
import pytest
import tensorflow as tf

from keras_cyclegan.data import draws

SEEDS = (0, 1, 12345, 2**31 - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_are_those_of_tensorflow(seed):
    numbers = np.array([0, 1, 77, 2**31 + 5, 2**40])
    keys = draws.fold_in((seed, 2), numbers)
    keys = list(zip(*np.broadcast_arrays(*keys), strict=True))
    for key, number in zip(keys, numbers, strict=True):
        start = tf.constant([seed, 2], "int64")
        theirs = tf.random.experimental.stateless_fold_in(start, tf.constant(number, "int64"))
        np.testing.assert_array_equal(np.array(key).astype("int64"), theirs)
        for count in (1, 3, 31, 1000):
            for bits in (32, 64):
                drawn = tf.random.stateless_uniform((), theirs, 0, count, f"int{bits}")
                assert draws.uniform_int(key, count, bits) == drawn.numpy()
        for axis in range(3):
            theirs_32 = tf.random.experimental.stateless_fold_in(theirs, axis)
            drawn = tf.random.stateless_uniform((), theirs_32)
            assert draws.uniform(draws.fold_in_32(key, axis)) == drawn.numpy()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 1000, 65536, 65537, 65538, 2**18 + 1, 2**18 + 2])
def test_shuffled_orders_are_those_of_tensorflow(count):
    numbers = np.arange(30) * (count // 9 + 1)
    for seed in SEEDS:
        theirs = [
            tf.random.experimental.index_shuffle(
                tf.constant(n % count, "int64"), [seed, n // count], tf.constant(count - 1, "int64")
            ).numpy()
            for n in numbers
        ]
        assert draws.shuffled_index(numbers, count, seed).tolist() == theirs


def test_a_shuffled_order_has_each_index_once():
    order = draws.shuffled_index(np.arange(700), 700, 3)
    assert sorted(order) == list(range(700))
    assert order.tolist() != list(range(700))
