"""Whatever an image is given as, its translation comes back as the same."""

import io

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.cyclegan_helpers import on_tensorflow
from support.properties import examples

from keras_cyclegan import CycleGAN, networks
from keras_cyclegan.data import from_unit, to_unit

pytestmark = on_tensorflow
SIDES = st.integers(1, 40)
KINDS = ("noise", "black", "white", "one bright pixel")
ARRAYS = ("uint8", "float16", "float32", "float64")


@pytest.fixture(scope="module")
def model():
    """Colour to gray, and back."""
    keras.utils.set_random_seed(0)
    model = CycleGAN(
        networks.ResNetGenerator((32, 32, 3), 1, filters=2, num_blocks=1),
        networks.UNetGenerator((32, 32, 1), 3, filters=2, num_downsamplings=5),
        None,
        None,
        image_shape=(32, 32, 3),
    )
    for weight in model.generator_ab.weights + model.generator_ba.weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.3, weight.shape))  # no flat gray
    return model


@st.composite
def arrays(draw, channels=(1, 3), dtypes=ARRAYS, sides=SIDES, kinds=KINDS):
    shape = (draw(sides), draw(sides), draw(st.sampled_from(channels)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(kinds))
    pixels = random.integers(0, 256, shape, "uint8")
    if kind != "noise":
        pixels[:] = 255 if kind == "white" else 0
        pixels[-1, 0] = 255 if kind == "one bright pixel" else pixels[-1, 0]
    dtype = draw(st.sampled_from(dtypes))
    return pixels if dtype == "uint8" else to_unit(pixels).astype(dtype)


def check_kind(translated, image, channels):
    assert type(translated) is type(image)
    if isinstance(image, np.ndarray):
        assert translated.dtype == image.dtype
        assert translated.shape[:2] == image.shape[:2]
        given_gray = image.ndim == 2
        assert translated.shape[2:] == (() if given_gray and channels == 1 else (channels,))
        if image.dtype != np.uint8:
            assert np.isfinite(translated).all()
            assert np.abs(translated).max() <= 1
    else:
        assert translated.size == image.size


@examples(12)
@given(st.data())
def test_an_array_of_any_size_and_dtype_comes_back_as_such(model, data):
    there = data.draw(st.booleans())
    image = data.draw(arrays(channels=(1, 3) if there else (1,)))
    if image.shape[2] == 1 and data.draw(st.booleans()):
        image = image[:, :, 0]
    before = image.copy()
    translated = model.translate(image, direction="a_to_b" if there else "b_to_a")
    check_kind(translated, image, 1 if there else 3)
    np.testing.assert_array_equal(image, before)


@examples(10)
@given(
    image=arrays(channels=(3, 4), dtypes=("uint8",)),
    form=st.sampled_from(("pillow", "PNG", "WEBP", "TIFF", "BMP")),
)
def test_a_file_is_translated_as_its_array_is(model, image, form):
    if form == "BMP":
        image = image[:, :, :3]
    expected = model.translate(image)
    picture = Image.fromarray(image)
    if form == "pillow":
        translated = model.translate(picture)
        check_kind(translated, picture, 1)
        translated = np.asarray(translated).reshape(expected.shape)
    else:
        file = io.BytesIO()
        # Without `exact`, WebP drops the colours of what is transparent.
        picture.save(file, form, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
        translated = model.translate(file.getvalue())
    np.testing.assert_array_equal(translated, expected)
    if image.shape[2] == 4:
        np.testing.assert_array_equal(translated[:, :, -1], image[:, :, -1])


@examples(6)
@given(st.integers(2, 10), st.integers(2, 10), st.integers(1, 3), st.integers(0, 2**32))
def test_a_size_that_needs_no_padding_goes_through_the_generator_as_it_is(
    model, rows, columns, count, seed
):
    shape = (count, 4 * rows, 4 * columns, 3)
    images = np.random.default_rng(seed).integers(0, 256, shape, "uint8")
    translated = model.translate(images).astype(int)
    alone = [from_unit(np.asarray(model.generator_ab(to_unit(image[None]))))[0] for image in images]
    assert np.abs(translated - np.stack(alone)).max() <= 1


@examples(6)
@given(st.data())
def test_a_list_is_translated_image_by_image(model, data):
    small = {"sides": st.integers(1, 12), "kinds": ("noise",)}
    images = data.draw(st.lists(arrays(**small), min_size=1, max_size=4))
    batch_size = data.draw(st.sampled_from((None, 1, 2, 5)))
    for translated, image in zip(model.translate(images, batch_size=batch_size), images, strict=1):
        check_kind(translated, image, 1)
        alone = model.translate(image)
        # Half a grey level of [-1, 1] in a dtype of eleven bits: the batch's sums differ.
        tolerance = 1 if image.dtype == np.uint8 else 2e-3
        np.testing.assert_allclose(translated.astype(float), alone.astype(float), atol=tolerance)


@examples(4, many=60)
@given(
    image=arrays(channels=(3,), sides=st.integers(20, 70)),
    tile=st.sampled_from((16, 32, 60)),
)
def test_tiles_make_the_whole_image(model, image, tile):
    tiled, whole = model.translate(image, tile=tile), model.translate(image, tile=None)
    check_kind(tiled, image, 1)
    tolerance = 1 if image.dtype == np.uint8 else 1 / 127
    np.testing.assert_allclose(tiled.astype(float), whole.astype(float), atol=tolerance)


@examples(10)
@given(
    image=arrays(channels=(1, 2, 3, 4, 5)),
    worst=st.sampled_from((np.nan, np.inf, -1.5, 255.0, None)),
)
def test_what_is_no_image_is_refused_in_a_line(model, image, worst):
    image = image.copy()
    bad = image.shape[2] not in (1, 3) and not (image.shape[2] == 4 and image.dtype == np.uint8)
    if worst is not None and image.dtype != np.uint8:
        image[0, 0, 0], bad = worst, True
    if not bad:
        return check_kind(model.translate(image[:, :, :3]), image[:, :, :3], 1)
    with pytest.raises(ValueError, match=r"Received|holds NaN or infinity, first at") as error:
        model.translate(image)
    assert "\n" not in str(error.value)
    return None
