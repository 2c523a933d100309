"""Images too large for the memory: automatic tiles, or a clear error for each of them."""

import math

import keras
import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data import pillow_files, to_unit
from keras_cyclegan.inference import memory
from keras_cyclegan.inference import pictures as module
from keras_cyclegan.inference.files import translate_files
from keras_cyclegan.inference.runner import Runner, runner
from keras_cyclegan.networks import ResNetGenerator, UNetGenerator


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    generators = [ResNetGenerator((32, 32, 3), filters=4, num_blocks=1) for _ in range(2)]
    return CycleGAN(*generators, None, None, image_shape=(32, 32, 3))


@pytest.fixture
def tiled(monkeypatch):
    """Sides of the tiles that were cut."""
    sides = []
    translate_tiled = module.translate_tiled

    def spy(runner, pixels, tile):
        sides.append(tile)
        return translate_tiled(runner, pixels, tile)

    monkeypatch.setattr(module, "translate_tiled", spy)
    return sides


def give_memory(monkeypatch, count):
    for place in (memory, module):
        monkeypatch.setattr(place, "available_memory", lambda: count)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, "uint8")


# --- automatic tiles ---------------------------------------------------------------------------


def test_an_image_that_needs_more_than_half_of_the_memory_is_translated_in_tiles(
    model, tiled, monkeypatch
):
    pixels = noise(150, 130, 3)
    whole = model.translate(pixels)
    assert not tiled
    needed = runner(model.generator_ab).bytes_for(150, 130)
    give_memory(monkeypatch, 2 * needed - 2)
    monkeypatch.setattr(module, "SIDE", 64)
    translated, small = model.translate([pixels, pixels[:9, :9]])
    assert tiled == [(64, 64)]
    assert np.abs(translated.astype(int) - whole).max() <= 1
    assert small.shape == (9, 9, 3)
    floats = to_unit(pixels)
    np.testing.assert_allclose(
        model.reconstruct(floats), model.reconstruct(floats, tile=1000), atol=2e-3
    )
    assert tiled == 3 * [(64, 64)]
    give_memory(monkeypatch, 2 * needed)
    model.translate(pixels)
    assert len(tiled) == 3


def test_less_memory_makes_smaller_tiles(model, monkeypatch):
    sides = []
    for count in (10**9, 2 * 10**7, 10**7, 10**3):
        give_memory(monkeypatch, count)
        sides.append(module._tile_sides(runner(model.generator_ab), (9999, 9999)))
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == ((512, 512), (64, 64))
    unet = UNetGenerator((256, 256, 3), filters=1, num_downsamplings=8)
    # What it halves eight times.
    assert module._tile_sides(runner(unet), (999, 999)) == (256, 256)


def test_a_thin_picture_is_cut_along_its_length_into_tiles_of_as_many_pixels(model, monkeypatch):
    run = runner(model.generator_ab)
    assert run.bytes_for(1, 1000) == run.bytes_for(8, 1000)  # padded pixels count
    assert module._tile_sides(run, (1, 250_000)) == (512, 512 * 512 // 8)
    assert module._tile_sides(run, (250_000, 300)) == (512 * 512 // 300 // 8 * 8, 512)
    assert module._tile_sides(run, (1, 5000)) is None


def test_a_batch_takes_no_more_than_a_whole_image_may(model, monkeypatch):
    counts = []
    monkeypatch.setattr(Runner, "__call__", lambda _, images: counts.append(len(images)) or images)
    needed = runner(model.generator_ab).bytes_for(40, 40)
    give_memory(monkeypatch, 2 * 3 * needed)
    model.translate(noise(7, 40, 40, 3))
    assert counts == [3, 3, 1]


@pytest.mark.parametrize("size", [(600, 500), (300, 900)])
def test_the_estimate_holds_the_tensors_of_the_widest_layers(model, size):
    # The stem's norm: its input, as much again to compute, and its output, 4 channels of float32.
    least = math.prod(size) * 3 * 4 * 4
    assert least < runner(model.generator_ab).bytes_for(*size) < 4 * least


def test_a_subclassed_network_is_not_estimated_and_translates_as_a_whole(monkeypatch):
    class Identity(keras.Model):
        input_shape = (None, None, None, 3)

        def call(self, images):
            return 0.5 * images

    give_memory(monkeypatch, 1)
    network = Identity()
    assert runner(network).bytes_for(100, 100) == 0


# --- errors and messages -----------------------------------------------------------------------


def test_tile_none_says_how_much_memory_is_needed(model, monkeypatch):
    pixels = noise(150, 130, 3)
    needed = runner(model.generator_ab).bytes_for(150, 130)
    give_memory(monkeypatch, needed - 1)
    message = rf"150×130 pixels at once takes about {needed / 1e6:,.0f} MB.*leave `tile=None` out"
    with pytest.raises(MemoryError, match=message):
        model.translate(pixels, tile=None)


def test_a_network_that_cannot_be_cut_says_so(monkeypatch):
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.LayerNormalization(name="all")(images))
    one_way = CycleGAN(network, None, None, None, image_shape=(32, 32, 3))
    needed = runner(network).bytes_for(100, 100)
    give_memory(monkeypatch, needed - 1)
    with pytest.raises(MemoryError, match=r"100×100.*`tile=256` says why"):
        one_way.translate(noise(100, 100, 3))


class ResourceExhaustedError(Exception):
    """TensorFlow's error has this name."""


class OutOfMemoryError(RuntimeError):
    """torch's error has this name."""


LACKS = [
    ResourceExhaustedError("OOM when allocating tensor"),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 2147483648 bytes."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError(),
]


@pytest.mark.parametrize("lack", LACKS, ids=lambda lack: type(lack).__name__)
def test_too_little_memory_during_a_translation_leads_to_tiles_or_a_memory_error(
    model, tiled, monkeypatch, lack
):
    def fail(self, images):
        raise lack

    monkeypatch.setattr(Runner, "__call__", fail)
    monkeypatch.setattr(module, "SIDE", 64)
    pixels = noise(70, 90, 3)
    assert model.translate(pixels).shape == (70, 90, 3)
    assert tiled == [(64, 64)]
    for tile, size in ((None, pixels), ("auto", pixels[:50, :50])):  # smaller than a tile
        with pytest.raises(MemoryError, match=r"too little memory for 1 of \d+×\d+ pixels.*are av"):
            model.translate(size, tile=tile)


def test_other_errors_of_a_backend_stay_what_they_are(model, monkeypatch):
    monkeypatch.setattr(Runner, "__call__", lambda *_: exec("raise RuntimeError('no such device')"))
    with pytest.raises(RuntimeError, match="no such device"):
        model.translate(noise(8, 8, 3))


@pytest.mark.parametrize("tile", ["none", 1.5, True])
def test_what_is_no_tile_is_refused(model, tile):
    with pytest.raises(ValueError, match=r'`tile` is "auto".* Received'):
        model.translate(noise(8, 8, 3), tile=tile)


# --- available memory --------------------------------------------------------------------------


def system(root, available, limit="max", used=0, cached=0):
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available} kB\n")
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(str(limit))
    (group / "memory.current").write_text(str(used))
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nactive_file 0\n")
    return root


def test_without_limits_the_memory_of_the_machine_is_available(tmp_path):
    assert memory.available_memory(system(tmp_path, 500)) == 500 * 1024


def test_a_container_allows_its_limit_less_what_is_used(tmp_path):
    assert memory.available_memory(system(tmp_path, 10**6, 9000, 3000, 500)) == 6500


def test_too_little_memory_for_one_file_is_reported_and_the_others_are_translated(
    model, tmp_path, monkeypatch
):
    for name, height in (("a", 9), ("b", 10)):
        Image.fromarray(noise(height, 8, 3)).save(tmp_path / f"{name}.png")
    pairs = [(tmp_path / f"{name}.png", tmp_path / "out" / f"{name}.png") for name in "ab"]
    to_array = pillow_files._to_array

    def fail(image, *options):
        if image.size == (8, 9):
            raise MemoryError
        return to_array(image, *options)

    monkeypatch.setattr(pillow_files, "_to_array", fail)
    outcome = {source.name: str(error) for source, _, error in translate_files(model, pairs)}
    assert "too little memory to open" in outcome["a.png"]
    assert outcome["b.png"] == "None"
