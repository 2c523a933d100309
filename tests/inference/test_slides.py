"""Slides in and out: one pass over any tiles gives the same pyramid, also after a kill."""

import itertools

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.inference import slide_files, slides
from keras_cyclegan.networks import ResNetGenerator

tifffile = pytest.importorskip("tifffile", reason="pip install keras-cyclegan[slides]")
HEIGHT, WIDTH = 900, 1100
PROFILE = b"a colour profile"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(slide_files, "BLOCK", 512)
    monkeypatch.setattr(slide_files, "SMALLEST", 150)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    generator = ResNetGenerator((64, 64, 3), filters=4, num_blocks=1, input_skip=True)
    head = generator.get_layer("head_conv")
    head.set_weights([20 * weights for weights in head.get_weights()])
    return CycleGAN(generator, None, None, None, image_shape=(64, 64, 3))


@pytest.fixture(scope="module")
def pixels():
    """Violet tissue with structure on the left, glass on the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [150 + 60 * np.sin(x / 9), 80 + 40 * np.cos(y / 13), 120 + 30 * np.sin((x + y) / 21)]
    tissue = (y - 450) ** 2 + (x - 350) ** 2 < 300**2
    return np.where(tissue[:, :, None], np.stack(waves, axis=-1), 240).astype("uint8")


@pytest.fixture
def slide(pixels, tmp_path):
    return write(tmp_path / "slide.tif", pixels, resolution=(20_000, 20_000))


def write(path, pixels, tile=(256, 256), compression="deflate", **options):
    options |= {"tile": tile, "photometric": "rgb", "compression": compression}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(pixels, **options, subifds=1, resolutionunit="CENTIMETER", iccprofile=PROFILE)
        del options["resolution"]
        file.write(pixels[::4, ::4], **options, subfiletype=1)
    return path


def translate(model, slide, target, **options):
    steps = list(slides.translate_slide(model, slide, target, samples=4, **options))
    return steps, tifffile.imread(target)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["deflate", "jpeg", None])
def test_any_part_of_any_level_is_read(pixels, tmp_path, compression):
    path = write(tmp_path / "a.tif", pixels, (128, 240), compression, resolution=(40_000, 40_000))
    slide = slide_files.open_slide(path)
    whole = tifffile.imread(path), tifffile.imread(path, level=1)
    assert slide.sizes == [(900, 1100), (225, 275)]
    assert slide.mpp == pytest.approx([0.25, 1.0], rel=0.01)
    assert slide.icc == PROFILE
    for level, rows, columns in (
        (0, (0, 900), (0, 1100)),
        (0, (77, 400), (230, 241)),
        (1, (3, 225), (9, 275)),
    ):
        found = slide.read(level, slice(*rows), slice(*columns))
        np.testing.assert_array_equal(found, whole[level][slice(*rows), slice(*columns)])
    slide.close()


def test_openslide_reads_the_same(pixels, tmp_path):
    pytest.importorskip("openslide", reason="pip install keras-cyclegan[slides]")
    path = write(tmp_path / "a.tif", pixels, resolution=(40_000, 40_000))
    slide = slide_files.OpenslideSlide(path)
    found = slide.read(0, slice(100, 700), slice(300, 1000))
    np.testing.assert_array_equal(found, pixels[100:700, 300:1000])
    assert slide.sizes[0] == (900, 1100)
    slide.close()


def test_microns_of_aperio_and_of_ome_are_known(pixels, tmp_path):
    options = {"tile": (256, 256), "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.svs", pixels, description="Aperio |MPP = 0.4990|x", **options)
    ome = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(tmp_path / "b.ome.tif", pixels, metadata=ome, **options)
    assert slide_files.open_slide(tmp_path / "a.svs").mpp == [0.499]
    assert slide_files.open_slide(tmp_path / "b.ome.tif").mpp == [0.25]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((64, 64), "uint8"), "8-bit colours"),
        (np.zeros((64, 64, 3), "uint16"), "8-bit colours"),
        (b"II*\0 no slide", "Can't read .* as a slide"),
    ],
)
def test_what_is_no_slide_is_refused(model, tmp_path, content, message):
    path = tmp_path / "a.tif"
    path.write_bytes(content) if isinstance(content, bytes) else tifffile.imwrite(path, content)
    with pytest.raises(ValueError, match=message):
        translate(model, path, tmp_path / "out.tif")


# --- the translation ---------------------------------------------------------------------------


def test_tiles_of_any_size_give_the_same_pyramid(model, slide, pixels, tmp_path):
    steps, first = translate(model, slide, tmp_path / "a.tif", tile=128, compression="deflate")
    _, second = translate(model, slide, tmp_path / "b.tif", tile=512, compression="deflate")
    assert steps == [(i, 6) for i in range(7)]
    assert np.abs(first.astype(int) - second).max() <= 1
    assert np.abs(first[400:500, 300:400].astype(int) - pixels[400:500, 300:400]).mean() > 5
    np.testing.assert_array_equal(first[:, 768:], pixels[:, 768:])  # glass isn't computed
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        levels = file.series[0].levels
        assert [level.shape[:2] for level in levels] == [
            (900, 1100),
            (450, 550),
            (225, 275),
            (113, 138),
        ]
        assert file.is_bigtiff
        for upper, lower in itertools.pairwise(levels):
            np.testing.assert_array_equal(slide_files.halved(upper.asarray()), lower.asarray())
    written = slide_files.open_slide(tmp_path / "a.tif")
    assert written.mpp == pytest.approx([0.5, 1, 2, 4], rel=0.02)
    assert written.icc == PROFILE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif", "slide.tif"]


def test_every_tile_is_computed_in_one_shape(model, slide, tmp_path, monkeypatch):
    """For each other one TensorFlow keeps memory."""
    shapes, call = set(), slides.runner(model.generator_ab).__class__.__call__

    def spy(run, images):
        shapes.add(tuple(map(run.rule.padded, images.shape[1:3])))
        return call(run, images)

    monkeypatch.setattr("keras_cyclegan.inference.runner.Runner.__call__", spy)
    translate(model, slide, tmp_path / "a.tif", tile=128)
    assert len(shapes) == 1


def test_the_thumbnail_is_every_kth_pixel_and_keeps_no_more(slide, pixels, monkeypatch):
    monkeypatch.setattr(slides, "THUMBNAIL", 1200)
    thumbnail = slides._thumbnail(slide_files.open_slide(slide))
    np.testing.assert_array_equal(thumbnail, pixels)  # the smaller level is too small
    monkeypatch.setattr(slides, "THUMBNAIL", 100)
    thumbnail = slides._thumbnail(slide_files.open_slide(slide))
    np.testing.assert_array_equal(thumbnail, pixels[::4, ::4][::3, ::3])
    assert thumbnail.base is None


def test_it_is_what_the_frozen_model_makes_of_the_whole(model, slide, pixels, tmp_path):
    frozen = model.freeze_statistics(pixels[300:700, 200:500])
    _, found = translate(frozen, slide, tmp_path / "a.tif", compression="deflate")
    whole = frozen.translate(pixels, tile=None)
    inner = np.s_[256:640, 128:512]
    assert np.abs(found[inner].astype(int) - whole[inner]).max() <= 1


def test_after_a_kill_it_goes_on_at_the_last_finished_block(model, slide, tmp_path, monkeypatch):
    _, expected = translate(model, slide, tmp_path / "a.tif")
    run = slides.translate_slide(model, slide, tmp_path / "b.tif", samples=4)
    for _ in range(4):
        next(run)
    run.close()
    assert not (tmp_path / "b.tif").exists()
    steps, found = translate(model, slide, tmp_path / "b.tif")
    assert steps == [(3, 6), (4, 6), (5, 6), (6, 6)]
    np.testing.assert_array_equal(found, expected)


def test_blocks_of_another_task_are_not_taken(model, slide, tmp_path):
    run = slides.translate_slide(model, slide, tmp_path / "a.tif", samples=4)
    for _ in range(3):
        next(run)
    run.close()
    steps, _ = translate(model, slide, tmp_path / "a.tif", compression="deflate")
    assert steps[0] == (0, 6)


def test_the_level_nearest_to_the_microns_is_translated(model, slide, tmp_path):
    _, found = translate(model, slide, tmp_path / "a.tif", mpp=1.9)
    assert found.shape == (225, 275, 3)
    with pytest.raises(ValueError, match=r"levels of 0\.5, 2 microns per pixel. Received mpp=1"):
        translate(model, slide, tmp_path / "b.tif", mpp=1.0)


def test_otsu_parts_two_classes():
    values = np.concatenate([np.full(900, 10), np.full(100, 120), np.full(50, 130)])
    assert 10 <= slides.otsu(values) < 120
    assert slides.otsu(np.full(10, 7.0)) == -1


def test_the_command_translates_a_slide(model, slide, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    arguments = ["translate", str(slide), str(tmp_path / "out.tif"), "--frozen"]
    result = CliRunner().invoke(app, [*arguments, "--preset", str(tmp_path / "preset")])
    assert result.exit_code == 0, result.output
    assert tifffile.imread(tmp_path / "out.tif").shape == (HEIGHT, WIDTH, 3)
    result = CliRunner().invoke(app, [*arguments[:3], "--mpp", "1", "--preset", "glyphs"])
    assert "--mpp goes with --frozen" in result.output
    written = (tmp_path / "out.tif").stat().st_mtime_ns
    result = CliRunner().invoke(app, [*arguments, "--skip-existing", "--preset", "glyphs"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.tif").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "option",
    [["--sheet", "a"], ["--side-by-side"], ["--doubt"], ["--working-size=64"], ["--max-pixels=99"]],
)
def test_the_command_refuses_what_a_slide_cannot_have(slide, tmp_path, option):
    arguments = ["translate", str(slide), str(tmp_path / "out.tif"), "--frozen"]
    result = CliRunner().invoke(app, [*arguments, "--preset", "glyphs", *option])
    assert result.exit_code == 1
    assert "--frozen: a slide is translated part by part" in " ".join(result.output.split())
