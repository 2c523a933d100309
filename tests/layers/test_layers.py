import keras
import numpy as np
import pytest

from keras_cyclegan.layers import (
    ImagePool,
    InputSkip,
    ReflectionPadding2D,
    SpectralNormalization,
)
from keras_cyclegan.layers.pool import random_integers

pytestmark = pytest.mark.backend
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compiles with TensorFlow"
)


def numbered(numbers):
    """One tiny image for each number, filled with it."""
    return np.float32(numbers).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1), "float32")


def numbers_of(images):
    images = keras.ops.convert_to_numpy(images)
    assert (images == images[:, :1, :1, :1]).all(), "an image was mixed from several"
    return images[:, 0, 0, 0].astype(int).tolist()


def make_pool(size, seed=0):
    pool = ImagePool(size, seed=seed)
    pool.build((None, 2, 2, 1))
    return pool


def lowbias32(x):
    """As https://github.com/skeeto/hash-prospector publishes it, in unsigned arithmetic."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = (x ^ (x >> shift)) * factor % 2**32
    return x


def integers(seed, turn, count):
    """The draws that `random_integers` promises, in Python's integers."""
    return [lowbias32(lowbias32(lowbias32(seed) ^ turn) ^ i) % 2**31 for i in range(count)]


class ModelPool:
    """The authors' pool in plain Python, with the draws that the layer makes."""

    def __init__(self, size, seed):
        self.size, self.stored = size, []
        self.seed, self.turn = seed, 0

    def __call__(self, images):
        returned = []
        draws = integers(self.seed, self.turn, len(images))
        self.turn += 1
        for image, draw in zip(images, draws, strict=True):
            if len(self.stored) < self.size:
                self.stored.append(image)
                returned.append(image)
            elif draw % 2 == 0:
                index = draw // 2 % self.size
                returned.append(self.stored[index])
                self.stored[index] = image
            else:
                returned.append(image)
        return returned


# Measured on every backend, these hold for all of them: the numbers are those of plain Python.
@pytest.mark.parametrize("seed", [0, 1, 999_999_937])
def test_random_integers_are_the_same_on_every_backend(seed):
    generator = keras.random.SeedGenerator(seed)
    for turn in range(3):
        drawn = random_integers(generator.next(), 50)
        assert keras.ops.convert_to_numpy(drawn).tolist() == integers(seed, turn, 50)


def test_random_integers_are_uniform_and_independent():
    """One draw a turn, as at batch size 1, and many of one turn; in each of the bits used."""
    count = 20_000
    by_turn = np.array([integers(7, turn, 1)[0] for turn in range(count)])
    by_place = np.array(integers(8, 0, count))
    other_seed = np.array(integers(9, 0, count))
    for draws in (by_turn, by_place):
        places = np.bincount(draws // 2 % 50, minlength=50)
        assert ((places - count / 50) ** 2 / (count / 50)).sum() < 95  # chi², 49 degrees, p = 1e-4
        exchanged = draws % 2 == 0
        assert abs(exchanged.mean() - 0.5) < 0.015
        for first, second in (
            (draws[1:], draws[:-1]),  # one after the other
            (exchanged, draws // 2 % 50),  # whether and where
            (draws, other_seed),  # the pools of both domains
        ):
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_pool_follows_the_state_machine_of_the_paper(batch):
    pool, model = make_pool(5), ModelPool(5, seed=0)
    for step in range(12):
        given = list(range(step * batch + 1, (step + 1) * batch + 1))
        expected = model(given)
        assert numbers_of(pool(numbered(given))) == expected
        assert numbers_of(pool.images)[: len(model.stored)] == model.stored
        assert int(pool.count) == len(model.stored)


def test_pool_that_fills_returns_what_it_is_given():
    pool = make_pool(6)
    assert numbers_of(pool(numbered([1, 2, 3, 4]))) == [1, 2, 3, 4]
    assert numbers_of(pool(numbered([5, 6]))) == [5, 6]
    assert numbers_of(pool.images) == [1, 2, 3, 4, 5, 6]


def test_a_full_pool_exchanges_half_of_the_images_at_every_place():
    pool = make_pool(4)
    pool(numbered([-1, -2, -3, -4]))
    given = list(range(1, 401))
    returned = numbers_of(pool(numbered(given)))
    exchanged = [old != new for old, new in zip(returned, given, strict=True)]
    assert 0.42 < np.mean(exchanged) < 0.58
    assert {-1, -2, -3, -4} < set(returned)


def test_images_of_a_batch_pass_one_after_the_other():
    """With one place, an exchanged image is the one that was stored last: maybe of this batch."""
    pool = make_pool(1)
    pool(numbered([100]))
    returned = numbers_of(pool(numbered(range(1, 33))))
    stored = 100
    for number, image in zip(range(1, 33), returned, strict=True):
        if image != number:
            assert image == stored
            stored = number
    assert numbers_of(pool.images) == [stored]
    assert len(set(returned)) == 32


def test_pool_of_size_0_returns_every_image():
    pool = make_pool(0)
    images = numbered([1, 2])
    assert numbers_of(pool(images)) == [1, 2]
    assert pool.count_params() == 0


@on_tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_pool_equals_the_eager_one(jit_compile):
    import tensorflow as tf

    eager, graph = make_pool(3), make_pool(3)
    call = tf.function(graph.call, jit_compile=jit_compile)
    for step in range(5):
        given = numbered([4 * step + i for i in range(4)])
        assert numbers_of(eager(given)) == numbers_of(call(given))
    for one, other in zip(eager.variables, graph.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def test_pool_draws_anew_in_each_call():
    pool = make_pool(1)
    pool(numbered([0]))
    returned = [numbers_of(pool(numbered([i])))[0] == i for i in range(1, 33)]
    assert 4 < sum(returned) < 28


def test_pool_of_the_same_seed_gives_the_same_images():
    pools = [make_pool(2, seed) for seed in (5, 5, 6)]
    returned = [numbers_of(pool(numbered(range(40)))) for pool in pools]
    assert returned[0] == returned[1] != returned[2]


def test_saved_pool_goes_on_with_its_images_and_its_draws(tmp_path):
    def make_model():
        return keras.Sequential([keras.Input((2, 2, 1)), ImagePool(3)])

    model, copy = make_model(), make_model()
    model(numbered(range(10)))
    model.save_weights(tmp_path / "pool.weights.h5")
    copy.load_weights(tmp_path / "pool.weights.h5")
    assert numbers_of(copy.layers[0].images) == numbers_of(model.layers[0].images)
    for step in range(3):
        given = numbered(range(10 * step + 10, 10 * step + 20))
        assert numbers_of(copy(given)) == numbers_of(model(given))


def test_pool_weights_are_not_trainable():
    pool = make_pool(3)
    assert pool.trainable_weights == []
    assert pool.count_params() == 3 * 4 + 1


def test_pool_refuses_images_of_unknown_size():
    with pytest.raises(ValueError, match=r"one known size.*None"):
        ImagePool(3).build((None, None, None, 3))
    ImagePool(0).build((None, None, None, 3))


@pytest.mark.parametrize("size", [-1, 1.5, "50"])
def test_pool_refuses_a_size_that_is_no_count(size):
    with pytest.raises(ValueError, match=f"Received {size!r}"):
        ImagePool(size)


def test_pool_config_round_trip():
    pool = ImagePool(7, seed=3, name="mine")
    copy = ImagePool.from_config(pool.get_config())
    assert (copy.size, copy.seed, copy.name) == (7, 3, "mine")


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_reflection_padding_mirrors_without_repeating_the_edge(padding):
    images = np.random.RandomState(0).normal(size=(2, 5, 4, 3)).astype("float32")
    sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    expected = np.pad(images, sides, mode="reflect")
    padded = keras.ops.convert_to_numpy(ReflectionPadding2D(padding)(images))
    np.testing.assert_array_equal(padded, expected)
    layer = ReflectionPadding2D(padding)
    assert layer.compute_output_shape(images.shape) == expected.shape
    assert layer.compute_output_shape((None, None, 4, 3)) == (None, None, 4 + 2 * padding, 3)


def test_reflection_padding_takes_images_of_unknown_size():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, ReflectionPadding2D(2)(inputs))
    for height, width in ((4, 7), (9, 3)):
        assert model(np.zeros((1, height, width, 1))).shape == (1, height + 4, width + 4, 1)


def test_reflection_padding_config_round_trip():
    assert ReflectionPadding2D.from_config(ReflectionPadding2D(4).get_config()).padding == 4


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_input_skip_equals_numpy_and_survives_a_round_trip_of_its_config():
    change, images = np.random.RandomState(0).uniform(-1, 1, (2, 1, 4, 6, 3)).astype("float32")
    skip = InputSkip.from_config(InputSkip(dtype="float32").get_config())
    expected = change + np.arctanh(0.98 * images)
    np.testing.assert_allclose(numpy(skip([change, images])), expected, atol=1e-5)


def normalized(layer, shape, steps=60):
    """A spectral-norm layer after so many steps of training, and images for it."""
    wrapped = SpectralNormalization(layer)
    images = np.random.RandomState(0).uniform(-1, 1, shape).astype("float32")
    for _ in range(steps):
        wrapped(images, training=True)
    return wrapped, images


def make_conv(**kwargs):
    start = keras.initializers.RandomNormal(seed=0)
    return keras.layers.Conv2D(4, 3, 2, kernel_initializer=start, **kwargs)


def test_spectral_norm_divides_the_kernel_by_its_largest_singular_value():
    wrapped, images = normalized(make_conv(), (1, 8, 8, 3))
    kernel = numpy(wrapped.layer.kernel)
    largest = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    plain = make_conv()
    plain.build(images.shape)
    plain.set_weights([kernel / largest, numpy(wrapped.layer.bias)])
    np.testing.assert_allclose(numpy(wrapped(images)), numpy(plain(images)), atol=1e-4)
    np.testing.assert_array_equal(numpy(wrapped.layer.kernel), kernel)


def test_spectral_norm_keeps_its_iterate_in_training_only():
    wrapped, images = normalized(make_conv(), (1, 8, 8, 3), steps=1)
    before = numpy(wrapped.vector)
    wrapped(images)
    np.testing.assert_array_equal(numpy(wrapped.vector), before)
    wrapped(images, training=True)
    assert np.abs(numpy(wrapped.vector) - before).max() > 0
    assert not wrapped.vector.trainable


def test_spectral_norm_works_in_mixed_precision_and_on_dense_layers():
    wrapped, images = normalized(make_conv(dtype="mixed_bfloat16"), (1, 8, 8, 3), steps=2)
    assert keras.backend.standardize_dtype(wrapped(images).dtype) == "bfloat16"
    wrapped, vectors = normalized(keras.layers.Dense(2), (3, 5))
    largest = np.linalg.svd(numpy(wrapped.layer.kernel), compute_uv=False)[0]
    expected = vectors @ numpy(wrapped.layer.kernel) / largest
    np.testing.assert_allclose(numpy(wrapped(vectors)), expected, atol=1e-4)


def test_spectral_norm_is_saved_with_its_iterate(tmp_path):
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, SpectralNormalization(make_conv())(inputs))
    images = np.random.RandomState(0).uniform(-1, 1, (1, 8, 8, 3)).astype("float32")
    model(images, training=True)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(copy(images)), numpy(model(images)), atol=1e-6)
    assert len(copy.weights) == 3


@on_tensorflow
def test_gradient_of_spectral_norm_is_torch_s():
    import tensorflow as tf

    torch = pytest.importorskip("torch", reason="parity is measured against torch")
    wrapped, images = normalized(make_conv(), (2, 8, 8, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wrapped(images) ** 2)
    gradient = numpy(tape.gradient(loss, wrapped.layer.kernel.value))

    kernel = torch.tensor(numpy(wrapped.layer.kernel).transpose(3, 2, 0, 1), requires_grad=True)
    sigma = torch.linalg.matrix_norm(kernel.reshape(4, -1), 2)
    outputs = torch.nn.functional.conv2d(
        torch.tensor(images.transpose(0, 3, 1, 2)), kernel / sigma, stride=2
    )
    (outputs**2).sum().backward()
    np.testing.assert_allclose(
        gradient, kernel.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-2, atol=1e-2
    )
