"""What numbers mean: ranges, units, dtypes, and what is refused."""

import logging

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_cyclegan.data import PixelFormat, load, load_sets, unpaired_dataset
from keras_cyclegan.data.decode import open_image
from keras_cyclegan.data.pixels import as_format


@pytest.mark.parametrize(
    "pixels",
    [
        PixelFormat("uint8", 1),
        PixelFormat("uint16", 1, 0, 4095),
        PixelFormat("uint16", 1, 0, 65535),
        PixelFormat("int16", 1, -1024, 3071, "HU"),
        PixelFormat("uint16", 2, (0, 100), (4095, 999)),
    ],
    ids=str,
)
def test_every_value_of_the_range_survives(pixels):
    low, high = np.max(pixels.low), np.min(pixels.high)
    values = np.arange(low, high + 1).astype(pixels.dtype)
    values = np.stack([values] * pixels.channels, axis=-1)
    unit = pixels.to_unit(values)
    assert unit.dtype == "float32"
    assert (unit.min(), unit.max()) == pytest.approx((-1, 1), abs=0.2)
    assert np.abs(unit).max() <= 1
    np.testing.assert_array_equal(pixels.from_unit(unit), values)
    tensor = keras.ops.convert_to_tensor(unit)
    again = keras.ops.convert_to_numpy(pixels.from_unit(tensor))
    np.testing.assert_array_equal(again, values)
    assert again.dtype == pixels.dtype


def test_floats_keep_their_unit_and_what_lies_beyond_is_clipped():
    pixels = PixelFormat("float32", 1, -30.0, 10.0, "dB")
    values = np.array([[-50.0], [-30.0], [0.0], [10.0], [99.0]], "float32")
    unit = pixels.to_unit(values)
    np.testing.assert_allclose(unit[:, 0], [-1, -1, 0.5, 1, 1], atol=1e-6)
    np.testing.assert_allclose(pixels.from_unit(unit)[:, 0], [-30, -30, 0, 10, 10], atol=1e-5)


def test_a_format_comes_back_from_its_config():
    pixels = PixelFormat("uint16", 3, (0, 1, 2), 4095, "counts")
    assert as_format(pixels.get_config(), 3) == pixels
    with pytest.raises(ValueError, match="of 1 channels"):
        as_format(pixels, 1)
    for given in ({"dtype": "float64"}, {"low": 5, "high": 5}, {"low": (1, 2)}):
        with pytest.raises(ValueError, match="Received"):
            PixelFormat(**given)


def write_deep(folder, count=4, top=4095, suffix=".png", dtype="uint16"):
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        (folder / name).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for i in range(count):
            image = random.integers(0, top + 1, (20, 20)).astype(dtype)
            image[0, :2] = 0, top
            if suffix == ".tif":
                tifffile.imwrite(folder / name / f"{i}.tif", image)
            else:
                Image.fromarray(image).save(folder / name / f"{i}.png")
    return folder


def test_twelve_bits_are_refused_with_what_was_found(tmp_path):
    write_deep(tmp_path / "set")
    message = (
        r"trainA holds uint16 with values from 0 to 4095.*17 of 256 grays.*"
        r"range_a=\(0, 4095\).*--range-a 0 4095.*--range-a auto.*here \d\S* to 40\d\d"
    )
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "set", image_size=16, channels=1)


def test_floats_without_a_range_are_refused(tmp_path):
    write_deep(tmp_path / "set", suffix=".tif", dtype="float32", top=1000)
    with pytest.raises(ValueError, match=r"holds float32 with values from 0 to 1000.*0, 1000"):
        load(tmp_path / "set", image_size=16, channels=1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_given_range_keeps_all_levels(tmp_path, suffix):
    write_deep(tmp_path / "set", suffix=suffix)
    options = {"image_size": 20, "load_size": 20, "channels": 1, "flip": False, "seed": 0}
    train, validation = load(
        tmp_path / "set", range_a=(0, 4095), range_b="0 4095", unit_a="counts", **options
    )
    assert train.pixels_a == PixelFormat("uint16", 1, 0, 4095, "counts")
    files = sorted((tmp_path / "set" / "trainA").iterdir())
    expected = {np.asarray(Image.open(path)).tobytes() for path in files}
    found = {train.pixels_a.from_unit(a.numpy())[0, ..., 0].tobytes() for a, _ in train}
    assert found == expected
    assert len(np.unique(np.concatenate([a.numpy().ravel() for a, _ in validation]))) > 1000


def test_all_of_sixteen_bits_needs_no_range_and_is_kept_on_disk_too(tmp_path):
    write_deep(tmp_path / "set", top=65535)
    options = {"image_size": 16, "channels": 1, "seed": 0}
    train, _ = load(tmp_path / "set", **options)
    assert train.pixels_a.high == 65535
    for _ in range(2):  # made, then found
        mapped, _ = load(
            tmp_path / "set", **options, memory_limit=0, cache_folder=tmp_path / "cache"
        )
        assert isinstance(mapped.streams["a"].values.values, np.memmap)
        train.seek(0)
        for (a, b), (c, d) in zip(train, mapped, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)


def test_auto_takes_quantiles_of_all_images_and_says_what_it_clips(tmp_path, caplog):
    write_deep(tmp_path / "set", top=1000)
    hot = np.full((20, 20), 500, "uint16")
    hot[0, 0] = 60000
    Image.fromarray(hot).save(tmp_path / "set" / "trainA" / "hot.png")
    with caplog.at_level(logging.INFO, "keras_cyclegan"):
        train, _ = load(
            tmp_path / "set", image_size=16, channels=1, range_a="auto", range_b="auto_per_channel"
        )
    files = [np.asarray(Image.open(p)) for p in (tmp_path / "set" / "trainA").iterdir()]
    values = np.concatenate([image.ravel() for image in files]).astype("float32")
    ends = np.quantile(values, [0.005, 0.995])
    np.testing.assert_allclose([train.pixels_a.low, train.pixels_a.high], ends, rtol=1e-6)
    beyond = 100 * np.mean((values < ends[0]) | (values > ends[1]))
    assert f"{beyond:.2f} % of the values lie beyond" in caplog.text


def test_each_images_own_range_is_spread(tmp_path):
    write_deep(tmp_path / "set")
    train, _ = load(
        tmp_path / "set", image_size=20, load_size=20, channels=1, range_a="image", range_b="image"
    )
    assert train.pixels_a.per_image
    for a, _ in train:
        assert (a.numpy().min(), a.numpy().max()) == (-1, 1)


def test_files_of_another_depth_are_named(tmp_path):
    write_deep(tmp_path / "set", top=65535)
    Image.new("L", (20, 20)).save(tmp_path / "set" / "trainB" / "2.png")
    with pytest.raises(ValueError, match=r"1 of 4 .*\n.*2\.png: it holds uint8, the images before"):
        load(tmp_path / "set", image_size=16, channels=1)


def test_floats_that_are_no_numbers_are_named(tmp_path):
    write_deep(tmp_path / "set", suffix=".tif", dtype="float32")
    tifffile.imwrite(tmp_path / "set" / "trainB" / "1.tif", np.full((20, 20), np.nan, "float32"))
    with pytest.raises(ValueError, match=r"1\.tif holds NaN or infinity"):
        load(tmp_path / "set", image_size=16, channels=1, range_a=(0, 1), range_b=(0, 1))


def test_scores_get_images_in_the_trained_format(tmp_path):
    write_deep(tmp_path / "set")
    pixels = PixelFormat("uint16", 1, 0, 4095)
    sets = load_sets(tmp_path / "set", 20, 1, pixels_a=pixels, pixels_b=pixels)
    assert sets.paired
    path = tmp_path / "set" / "testA" / "0.png"
    np.testing.assert_array_equal(sets.a[0, ..., 0], np.asarray(Image.open(path)))


def test_an_image_of_eight_bits_is_no_image_of_twelve(tmp_path):
    pixels = PixelFormat("uint16", 1, 0, 4095)
    for image in (np.zeros((8, 8), "uint8"), Image.new("L", (8, 8))):
        with pytest.raises(ValueError, match=r"uint8, from 0 to 0; expected uint16.*0.0 to 4095"):
            open_image(image, 1, pixels=pixels)
    found = open_image(np.full((8, 8), 4000, "int64"), 1, pixels=pixels).pixels
    assert found.dtype == "uint16"
    assert (found == 4000).all()


def test_arrays_of_other_dtypes_say_that_they_need_a_format():
    images = np.zeros((2, 8, 8, 1), "uint16")
    with pytest.raises(ValueError, match=r"must be a numpy array of uint8.*need a `PixelFormat`"):
        unpaired_dataset(images, images)


@pytest.mark.parametrize("given", ["1 to 2", (1, 2, 3), "0 x", ("a", "b")])
def test_ranges_that_are_none_are_named(given):
    with pytest.raises(ValueError, match=r"`range_a` is \(LOW, HIGH\)"):
        load("glyphs", range_a=given)
