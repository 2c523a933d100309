"""Large images in pieces: the result of the whole, in memory that doesn't grow."""

import weakref
from collections import Counter

import keras
import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.inference import tiles
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.networks import ResNetGenerator, UNetGenerator


def resnet(num_blocks=1, **options):
    keras.utils.set_random_seed(4)
    generator = ResNetGenerator((32, 32, 3), filters=4, num_blocks=num_blocks, **options)
    rng = np.random.default_rng(0)
    generator.set_weights([w + rng.normal(0, 0.2, w.shape) for w in generator.get_weights()])
    return generator


def unet(**options):
    keras.utils.set_random_seed(4)
    return UNetGenerator((32, 32, 3), filters=4, num_downsamplings=5, **options)


def one_way(generator):
    return CycleGAN(generator, None, None, None, image_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def model():
    return CycleGAN(resnet(), resnet(), None, None, image_shape=(32, 32, 3))


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, "uint8")


def uneven(height, width):
    """Dark and flat on the left, bright and rough on the right: no two tiles are alike."""
    ramp = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    rough = noise(height, width, 3) * np.linspace(0, 1, width)[None, :, None] ** 4
    return np.clip(0.7 * ramp + 0.3 * rough, 0, 255).astype("uint8")


def assert_tiling_changes_nothing(generator, size, tile):
    floats = to_unit(uneven(*size))
    translate = one_way(generator).translate
    np.testing.assert_allclose(
        translate(floats, tile=tile), translate(floats), atol=2e-3
    )  # ¼ of a grey level


# --- the same as the whole ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_blocks": 2, "upsampling": "resize"},
        {"affine_norm": True},
        {"block": "separable", "padding": "zeros"},
    ],
)
def test_a_tiled_resnet_equals_the_untiled(options):
    assert_tiling_changes_nothing(resnet(**options), (150, 203), 64)


def test_a_tiled_unet_equals_the_untiled():
    assert_tiling_changes_nothing(unet(), (70, 400), 32)


def test_the_last_tile_may_be_a_sliver():
    assert_tiling_changes_nothing(resnet(), (3, 132), 64)


def test_norms_at_full_resolution_in_a_row_equal_the_untiled():
    assert_tiling_changes_nothing(flat(), (40, 50), 16)


@pytest.mark.parametrize(
    "network",
    [
        lambda **options: resnet(num_blocks=2, **options),
        lambda **options: resnet(affine_norm=True, **options),
        lambda **options: resnet(upsampling="resize", **{"dtype": "mixed_bfloat16"} | options),
        unet,
    ],
    ids=["resnet", "affine", "bfloat16", "unet"],
)
def test_a_tiled_image_of_one_colour_equals_the_untiled(network):
    """Norms divide the variance of nothing: what was rounded away became the picture.

    The untiled is computed in float64. In float32 it rounds as well, by the number of threads, and
    this network makes up to two levels of that, more than tiles do.
    """
    generator = network()
    dtype = "float64" if generator.compute_dtype == "float32" else "mixed_bfloat16"
    exact = network(dtype=dtype)
    exact.set_weights(generator.get_weights())
    for colour in [(0, 0, 0), (255, 255, 255), (77, 77, 77), (255, 0, 3)]:
        pixels = np.full((96, 64, 3), colour, "uint8")
        expected = keras.ops.convert_to_numpy(exact(to_unit(pixels)[None], training=False))[0]
        difference = one_way(generator).translate(pixels, tile=32) - from_unit(expected).astype(int)
        assert np.abs(difference).max() <= 1, colour


def test_half_precision_is_stored_as_it_is():
    translate = one_way(resnet(dtype="mixed_bfloat16")).translate
    pixels = uneven(40, 90)
    difference = translate(pixels, tile=32).astype(int) - translate(pixels)
    assert np.abs(difference).mean() < 2  # three decimal digits through all of the network


def test_tiles_by_themselves_would_differ(model):
    pixels = uneven(64, 512)
    apart = np.concatenate([model.translate(part) for part in np.split(pixels, 8, axis=1)], axis=1)
    assert np.abs(apart.astype(int) - model.translate(pixels)).max() > 10


def test_tiles_keep_kinds_and_the_round_trip(model):
    pixels = uneven(40, 90)
    floats = model.reconstruct(to_unit(pixels), tile=32)
    np.testing.assert_allclose(floats, model.reconstruct(to_unit(pixels)), atol=1e-3)
    small, large = model.translate([Image.fromarray(pixels[:8, :8]), pixels], tile=32)
    assert small.size == (8, 8)
    assert large.dtype == np.uint8
    assert np.abs(large.astype(int) - model.translate(pixels)).max() <= 1


# --- bounded work and memory -------------------------------------------------------------------


def flat():
    """Four norms, all at full resolution."""
    keras.utils.set_random_seed(4)
    x = images = keras.Input((None, None, 3))
    for _ in range(4):
        x = keras.layers.Conv2D(4, 3, padding="same")(x)
        x = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)(x)
    return keras.Model(images, keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


@pytest.mark.parametrize("network", [resnet, unet, flat])
def test_every_layer_is_computed_once(network):
    generator = network()
    stages, _ = runner(generator).stages
    count = Counter(layer.name for stage in stages for layer in stage.layers)
    assert set(count.values()) == {1}
    assert len(count) == len(generator.operations) - 1  # all but the input


def test_no_tile_sees_more_than_its_margin(model, monkeypatch):
    seen = []
    read = tiles._Map.read

    def spy(self, down, across):
        seen.append((down.seen.stop - down.seen.start, across.seen.stop - across.seen.start))
        part = read(self, down, across)
        assert tuple(part.shape[1:3]) == tuple(side / self.step for side in seen[-1])
        return part

    monkeypatch.setattr(tiles._Map, "read", spy)
    model.translate(uneven(40, 600), tile=32)
    assert max(max(sides) for sides in seen) == 32 + 2 * 8


def test_a_map_is_deleted_when_no_stage_reads_it_any_more(monkeypatch):
    living, most = weakref.WeakSet(), []
    start = tiles._Map.__init__

    def spy(self, *args):
        start(self, *args)
        living.add(self)
        most.append(len(living))

    monkeypatch.setattr(tiles._Map, "__init__", spy)
    one_way(resnet(num_blocks=4)).translate(noise(40, 40, 3), tile=32)
    assert len(most) > 10
    assert max(most) == 4  # a block's shortcut and norm, and the next one's
    assert not living


def test_progress_is_told_after_each_tile(model):
    told = []
    token = tiles.progress.set(lambda *counts: told.append(counts))
    model.translate(noise(40, 70, 3), tile=32)
    tiles.progress.reset(token)
    total = 6 * len(runner(model.generator_ab).stages[0])
    assert told == [(i, total) for i in range(1, total + 1)]


def test_temporary_files_have_no_name_and_are_gone(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write = tiles._Map.write

    def spy(*args):
        write(*args)
        assert not list(tmp_path.iterdir())

    monkeypatch.setattr(tiles._Map, "write", spy)
    model.translate(noise(40, 40, 3), tile=32)


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [30, 4, 0])
def test_a_tile_that_does_not_fit_is_refused(model, tile):
    with pytest.raises(ValueError, match=f"multiple of 4, at least 8.* Received tile={tile}"):
        model.translate(noise(64, 64, 3), tile=tile)


def test_a_network_that_looks_at_everything_is_not_tiled():
    images = keras.Input((None, None, 3))
    whole = keras.Model(images, keras.layers.LayerNormalization(name="all")(images))
    with pytest.raises(ValueError, match=r"'all' \(LayerNormalization\) may look at the whole"):
        one_way(whole).translate(noise(64, 64, 3), tile=32)


def test_a_layer_called_twice_is_not_tiled():
    images = keras.Input((None, None, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", name="both")
    with pytest.raises(ValueError, match="it calls a layer twice"):
        one_way(keras.Model(images, conv(conv(images)))).translate(noise(64, 64, 3), tile=32)


def test_a_norm_of_a_framed_image_is_not_tiled():
    images = keras.Input((None, None, 3))
    x = keras.layers.ZeroPadding2D(1)(images)
    x = keras.layers.GroupNormalization(groups=-1)(x)
    framed = keras.Model(images, keras.layers.Conv2D(3, 3)(x))
    with pytest.raises(ValueError, match=r"can't be tiled.* is (\d+)×\1 for an image of"):
        one_way(framed).translate(noise(64, 64, 3), tile=32)
