"""Images without contrast, wild rates and half precision: finite, or a clear stop."""

import keras
import numpy as np
import pytest
from support.cyclegan_helpers import (
    array,
    assert_same_state,
    compiled,
    make_model,
    make_networks,
    make_plain_model,
    not_on_torch,
    state,
)

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import UNetGenerator
from keras_cyclegan.resume import DivergenceError, StopAtDivergence

SHAPE = (2, 16, 16, 3)  # two batches of one image
IMAGES = {
    "black": np.full(SHAPE, -1.0, "float32"),
    "gray": np.zeros(SHAPE, "float32"),
    "white": np.ones(SHAPE, "float32"),
    "black or white": np.sign(np.random.default_rng(0).normal(size=SHAPE)).astype("float32"),
    "one white pixel": np.full(SHAPE, -1.0, "float32"),
}
IMAGES["one white pixel"][:, 3, 3] = 1


def fit(model, a, b, rate=2e-4, epochs=1):
    """Batches of one image."""
    model = compiled(
        model,
        generator_optimizer=keras.optimizers.Adam(rate, 0.5),
        discriminator_optimizer=keras.optimizers.Adam(rate, 0.5),
    )
    stop = StopAtDivergence()
    return model.fit(a, b, 1, epochs, verbose=0, callbacks=[stop], shuffle=False)


def assert_finite(model, history):
    for name, values in history.history.items():
        assert np.isfinite(values).all(), name
    for name, value in state(model).items():
        assert np.isfinite(value).all(), name
    for generator in (model.generator_ab, model.generator_ba):
        size = model.image_shape[0] // 16
        images = np.concatenate(list(IMAGES.values())).repeat(size, 1).repeat(size, 2)
        translated = array(generator(images, training=False))
        assert np.isfinite(translated).all()
        assert np.abs(translated).max() <= 1


def test_images_without_contrast_are_trained_on():
    """One after the other: in a mean of batches, one step's NaN stays."""
    images = np.concatenate([image[:1] for image in IMAGES.values()])
    model = make_model()
    assert_finite(model, fit(model, images, images[::-1].copy()))


@pytest.mark.parametrize("norm", ["instance", "affine"])
def test_a_batch_of_one_image_of_one_pixel_at_the_bottom_is_trained_on(norm):
    """A U-Net's innermost maps have one pixel: their variance is zero, whatever the image."""
    keras.utils.set_random_seed(0)
    shape = (32, 32, 3)
    networks = make_networks()
    for name in ("generator_ab", "generator_ba"):
        networks[name] = UNetGenerator(
            shape, filters=2, num_downsamplings=5, affine_norm=norm == "affine"
        )
    model = CycleGAN(**networks, image_shape=shape, pool_size=2)
    flat = np.full((1, *shape), -1.0, "float32")
    assert_finite(model, fit(model, flat, flat))


@pytest.mark.parametrize(
    ("rate", "policy"),
    [
        (1e-9, "float32"),
        pytest.param(1e-3, "float32", marks=pytest.mark.slow),
        pytest.param(1.0, "float32", marks=pytest.mark.slow),
        (1e3, "float32"),
        pytest.param(1e-9, "mixed_float16", marks=[not_on_torch, pytest.mark.slow]),
        pytest.param(1e-3, "mixed_float16", marks=[not_on_torch, pytest.mark.slow]),
        pytest.param(1e3, "mixed_float16", marks=not_on_torch),
    ],
)
def test_any_rate_ends_finite_or_says_that_it_diverged(rate, policy):
    model = compiled(make_model(dtype=policy))
    before = state(model)
    noise = IMAGES["black or white"]
    try:
        # Loss scaling may leave out the first steps; what the last one breaks, the next one shows.
        history = fit(model, noise, noise[::-1].copy(), rate, epochs=3 if rate > 1 else 1)
    except DivergenceError as error:
        said = str(error)
        assert rate >= 1, said
        assert "Try a lower learning rate" in said, said
        return
    assert_finite(model, history)
    moved = max(
        np.abs(value - before[name]).max()
        for name, value in state(model).items()
        if name.startswith("generator")
    )
    # Adam's steps are about as long as the rate; in half precision the first may be left out.
    assert moved <= 10 * rate
    assert moved >= rate / 10 or policy == "mixed_float16"


def test_a_loss_beyond_all_numbers_is_a_stop():
    model = make_model()
    kernel = model.generator_ab.trainable_variables[0]
    kernel.assign(array(kernel) * 1e38)
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1, .*(nan|inf)"):
        fit(model, IMAGES["black or white"], IMAGES["black or white"])


@pytest.mark.backend
def test_the_same_seed_gives_the_same_weights_twice():
    """With pools that are full, and the order that Keras draws."""
    noise, models = IMAGES["black or white"], []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        models.append(compiled(make_plain_model(seed=3, pool_size=1)))
        models[-1].fit(noise, noise[::-1].copy(), batch_size=1, verbose=0)
    assert_same_state(*models)
    before = make_plain_model(seed=3).generator_ab.get_weights()
    moved = zip(before, models[0].generator_ab.get_weights(), strict=True)
    assert max(np.abs(new - old).max() for old, new in moved) > 1e-4
