"""Losses against their formulas in float64, whatever the shapes, dtypes and ranges."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import examples

from keras_cyclegan.layers import ImagePool
from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss, IdentityLoss

numpy_of = keras.ops.convert_to_numpy
sides = st.integers(1, 9)
shapes = st.tuples(st.integers(1, 3), sides, sides, st.integers(1, 4))
dtypes = st.sampled_from(("float16", "float32"))
scales = st.sampled_from((0.0, 1e-6, 1.0, 100.0))
weights = st.just(0.0) | st.floats(0.01, 100)


def draw(shape, dtype, scale, seed):
    values = np.random.default_rng(seed).uniform(-scale, scale, shape).astype(dtype)
    return values, values.astype("float64")


@examples(25, many=500)
@given(shapes, dtypes, scales, st.sampled_from(("l1", "l2")), weights, st.integers(0))
def test_distances_are_the_mean_over_all_pixels(shape, dtype, scale, norm, weight, seed):
    one, exact_one = draw(shape, dtype, scale, seed)
    two, exact_two = draw(shape, dtype, scale, seed + 1)
    difference = np.abs(exact_one - exact_two)
    expected = weight * np.mean(difference if norm == "l1" else difference**2)
    for loss in (CycleConsistencyLoss(norm, weight), IdentityLoss(norm, weight)):
        found = numpy_of(loss(one, two))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-30)
        assert numpy_of(loss(one, one)) == 0
        np.testing.assert_allclose(numpy_of(loss(two, one)), found, rtol=1e-6)
        np.testing.assert_allclose(
            numpy_of(type(loss).from_config(loss.get_config())(one, two)), found
        )


@examples(5, many=100)
@given(st.integers(11, 20), st.integers(11, 20), st.floats(0, 1), st.integers(0))
def test_a_cycle_with_similarity_is_zero_for_equal_images_only(height, width, part, seed):
    one, two = (draw((2, height, width, 3), "float32", 1.0, seed + i)[0] for i in (0, 1))
    loss = CycleConsistencyLoss(weight=3.0, ssim_weight=part)
    assert abs(numpy_of(loss(one, one))) < 1e-5
    # The mean distance is 2 at most, dissimilarity too.
    assert 0 < numpy_of(loss(one, two)) <= 3 * 2 + 1e-5


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


FORMULAS = {
    "least_squares": (
        lambda r, f: np.mean((f - 1) ** 2),
        lambda r, f: (np.mean((r - 1) ** 2) + np.mean(f**2)) / 2,
    ),
    "min_max": (
        lambda r, f: -np.mean(log_sigmoid(f)),
        lambda r, f: -(np.mean(log_sigmoid(r)) + np.mean(log_sigmoid(-f))) / 2,
    ),
    "min_max_saturating": (
        lambda r, f: np.mean(log_sigmoid(-f)),
        lambda r, f: -(np.mean(log_sigmoid(r)) + np.mean(log_sigmoid(-f))) / 2,
    ),
    "hinge": (
        lambda r, f: -np.mean(f),
        lambda r, f: (np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f))) / 2,
    ),
    "wasserstein": (lambda r, f: -np.mean(f), lambda r, f: (np.mean(f) - np.mean(r)) / 2),
    "relativistic_average": (
        lambda r, f: -(np.mean(log_sigmoid(f - r.mean())) + np.mean(log_sigmoid(f.mean() - r))) / 2,
        lambda r, f: -(np.mean(log_sigmoid(r - f.mean())) + np.mean(log_sigmoid(r.mean() - f))) / 2,
    ),
}


@examples(8, many=200)
@pytest.mark.parametrize("kind", FORMULAS)
@given(shapes, dtypes, scales, weights, st.integers(1, 3), st.integers(0))
def test_every_game_is_its_formula(kind, shape, dtype, scale, weight, maps, seed):
    sizes = [(shape[0], shape[1] + i, *shape[2:]) for i in range(maps)]
    drawn = [draw(size, dtype, scale, seed + i) for i, size in enumerate(sizes)]
    others = [draw(size, dtype, scale, seed + 3 + i) for i, size in enumerate(sizes)]
    real, fake = [x for x, _ in drawn], [x for x, _ in others]
    loss = AdversarialLoss(kind, weight)
    judged = loss.generator(fake, real), loss.discriminator(real, fake)
    for found, formula in zip(judged, FORMULAS[kind], strict=True):
        expected = weight * np.mean(
            [formula(r, f) for (_, r), (_, f) in zip(drawn, others, strict=True)]
        )
        assert np.isfinite(numpy_of(found))
        np.testing.assert_allclose(numpy_of(found), expected, rtol=2e-5, atol=weight * 1e-5 * scale)


@examples(8, many=100)
@given(
    size=st.integers(0, 6),
    batches=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_pool_gives_each_image_or_one_that_it_kept(size, batches, seed):
    """A list in Python tells what a pool may hold; the draws are the pool's own."""
    pool = ImagePool(size, seed=seed)
    kept, number = [], 0
    for batch in batches:
        images = np.arange(number, number + batch, dtype="float32")
        number += batch
        given_images = np.broadcast_to(images[:, None, None, None], (batch, 2, 3, 1))
        returned = numpy_of(pool(given_images))
        assert returned.shape == given_images.shape
        for image, found in zip(images, returned, strict=True):
            assert (found == found[0, 0, 0]).all()  # one image, not a mixture
            if len(kept) < size:
                assert found[0, 0, 0] == image
                kept.append(image)
            elif found[0, 0, 0] != image:
                kept[kept.index(found[0, 0, 0])] = image
        if size:
            assert sorted(numpy_of(pool.images)[: len(kept), 0, 0, 0]) == sorted(kept)
