"""Images on their way in: files, the pipeline of training, and the range [-1, 1]."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import torch_files
from support.bounds import refused
from support.properties import examples

from keras_cyclegan.data import (
    decode_image,
    from_unit,
    paired_dataset,
    resize_image,
    to_unit,
    unpaired_dataset,
)
from keras_cyclegan.files.torch_checkpoint import read_state_dict

seeds = st.integers(0, 2**31 - 1)
sides = st.integers(1, 30)


def images(count, height, width, channels, first=0):
    """Every pixel says its image, row and column, as far as a byte goes."""
    shape = (count, height, width, channels)
    n, row, column, channel = np.indices(shape)
    return ((first + 101 * n + 7 * row + 3 * column + 50 * channel) % 256).astype("uint8")


def is_cut_from(crop, image):
    height, width = crop.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), axis=(0, 1))
    windows = np.moveaxis(windows, 2, -1).reshape(-1, height, width, image.shape[2])
    return any((windows == turned).all(axis=(1, 2, 3)).any() for turned in (crop, crop[:, ::-1]))


@examples(2, many=100)  # each makes two pipelines
@given(
    counts=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    border=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    channels=st.tuples(st.sampled_from((1, 3)), st.sampled_from((1, 3))),
    batch=st.integers(1, 3),
    flip=st.booleans(),
    seed=seeds,
)
def test_batches_are_cut_from_the_images_and_depend_on_seed_and_step(
    counts, size, border, channels, batch, flip, seed
):
    height, width = 4 * size[0], 4 * size[1]
    domains = [
        images(n, height + border[0], width + border[1], c, 128 * i)
        for i, (n, c) in enumerate(zip(counts, channels, strict=True))
    ]

    def make():
        return unpaired_dataset(
            *domains, (height, width), batch, flip=flip, seed=seed, steps_per_epoch=3
        )

    dataset = make()
    seen = [tuple(x.numpy() for x in pair) for _ in range(2) for pair in dataset]
    assert len(seen) == 6
    for pair in seen:
        for found, domain, c in zip(pair, domains, channels, strict=True):
            assert found.shape == (batch, height, width, c)
            assert found.dtype == np.float32
            for crop in from_unit(found):
                assert any(is_cut_from(crop, image) for image in domain)
    # In one pass over A, each image comes once.
    first = np.concatenate([a for a, _ in seen])[: counts[0]]
    if not flip and border == (0, 0):
        found = sorted(from_unit(image).tobytes() for image in first)
        assert found == sorted(image.tobytes() for image in domains[0])
    again = make()
    again.seek(4)
    for pair, expected in zip(again, seen[4:], strict=True):
        for found, one in zip(pair, expected, strict=True):
            np.testing.assert_array_equal(found, one)


@examples(4, many=100)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_validation_has_each_pair_once(count_a, count_b, batch):
    a, b = images(count_a, 4, 8, 3), images(count_b, 4, 8, 1, 9)
    found = [tuple(x.numpy() for x in pair) for pair in paired_dataset(a, b, batch)]
    count = min(count_a, count_b)
    for side, expected in ((0, a), (1, b)):
        joined = np.concatenate([pair[side] for pair in found])
        np.testing.assert_array_equal(from_unit(joined), expected[:count])


@examples(40, many=1000)
@given(
    st.tuples(sides, sides), st.sampled_from(("L", "RGB", "RGBA", "P", "CMYK", "1")), seeds, seeds
)
def test_a_png_or_tiff_of_any_size_is_read_as_pillow_converts_it(size, mode, seed, turn):
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 4), "uint8")
    image = Image.fromarray(noise)
    if mode != "RGBA":
        image = image.convert("RGB").convert(mode)
    orientation = 1 + turn % 8
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "TIFF" if mode == "CMYK" else "PNG", exif=exif)
    expected = np.asarray(image.convert("RGBA" if mode == "RGBA" else "RGB")).astype(float)
    if mode == "RGBA":
        alpha = expected[:, :, 3:] / 255
        expected = expected[:, :, :3] * alpha + 255 * (1 - alpha)
    if orientation >= 5:
        expected = expected.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):  # upright, its first row was the last
        expected = expected[::-1] if orientation in (3, 4, 7) else expected
    if orientation in (2, 3, 6, 7):
        expected = expected[:, ::-1]
    if orientation == 8:
        expected = expected[::-1]
    assert np.abs(decode_image(file.getvalue()) - expected).max() <= 1


@examples(20, many=500)
@given(
    st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from((1, 3)), st.integers(0, 255)
)
def test_resizing_keeps_a_flat_image_flat(size, target, channels, value):
    flat = np.full((*size, channels), value, "uint8")
    for way in ("stretch", "cover"):
        found = resize_image(flat, target, way)
        assert found.shape == (*target, channels)
        assert np.abs(found.astype(int) - value).max() <= 1


@examples(30, many=500)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_any_float_becomes_the_nearest_pixel(values):
    values = np.array(values, "float32")
    expected = np.clip(np.rint((np.clip(values.astype(float), -2, 2) + 1) * 127.5), 0, 255)
    assert np.abs(from_unit(values).astype(int) - expected).max() <= 1  # halves round either way
    pixels = from_unit(values)
    np.testing.assert_array_equal(from_unit(to_unit(pixels)), pixels)


@examples(20, many=500)
@given(
    st.dictionaries(
        st.text("abc.0_ü", min_size=1, max_size=20),
        st.lists(st.integers(1, 4), max_size=4).map(tuple),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_a_checkpoint_of_any_shapes_is_read_and_cut_off_refused(tmp_path, shapes, data):
    pickled, storages = torch_files.state_dict(shapes)
    content = torch_files.stream(pickled) + torch_files.keys_of_stream(storages)
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    found = read_state_dict(path)
    assert {name: array.shape for name, array in found.items()} == shapes
    for array, raw in zip(found.values(), storages, strict=True):
        assert array.tobytes() == raw
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with refused(r"x\.pth can't be read"):
        read_state_dict(path)


@examples(60, many=5000)
@given(st.binary(max_size=200), st.booleans())
def test_bytes_are_refused_as_a_checkpoint_and_as_an_image(tmp_path, content, has_magic):
    path = tmp_path / "x"
    path.write_bytes((torch_files.MAGIC + torch_files.PROTOCOL_1001) * has_magic + content)
    with refused("x can't be read"):
        read_state_dict(path)
    with pytest.raises(ValueError, match="Can't read"):
        decode_image(content)
