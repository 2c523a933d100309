"""The commands that use a preset, as a shell calls them."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.networks import ResNetGenerator


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "tiny"
    generators = [ResNetGenerator((32, 32, 3), filters=4, num_blocks=0) for _ in range(2)]
    CycleGAN(*generators, None, None, image_shape=(32, 32, 3)).save_to_preset(folder)
    return str(folder)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in (("one.png", (30, 41, 3)), ("below/two.jpg", (32, 32, 3))):
        Image.fromarray(rng.integers(0, 256, shape, "uint8")).save(folder / name)
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_folder_keeps_its_structure_and_sizes(preset, images, tmp_path):
    result = run("translate", "--preset", preset, images, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "out/one.png").size == (41, 30)
    assert Image.open(tmp_path / "out/below/two.jpg").size == (32, 32)
    translated = CycleGAN.from_preset(preset).translate(images / "one.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/one.png")), translated)


def test_bad_file_is_reported_and_the_rest_goes_on(preset, images, tmp_path):
    (images / "bad.png").write_bytes(b"no image")
    result = run("translate", "--preset", preset, images, tmp_path / "out")
    assert result.exit_code == 1
    assert "bad.png" in result.output
    assert "2 of 3" in result.output
    assert (tmp_path / "out/one.png").exists()


def test_pattern_side_by_side_other_direction_and_existing_files(preset, images, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    result = run(
        *("translate", "--preset", preset, "--direction", "b_to_a", "--side-by-side"),
        *(images / "*.png", out),
    )
    assert result.exit_code == 0, result.output
    pair = np.asarray(Image.open(out / "one.png"))
    np.testing.assert_array_equal(pair[:, :41], np.asarray(Image.open(images / "one.png")))
    expected = CycleGAN.from_preset(preset).translate(images / "one.png", direction="b_to_a")
    np.testing.assert_array_equal(pair[:, 41:], expected)

    (out / "one.png").write_bytes(b"kept")
    run("translate", "--preset", preset, "--skip-existing", images, out)
    assert (out / "one.png").read_bytes() == b"kept"
    assert (out / "below/two.jpg").exists()


def test_side_by_side_shows_the_image_upright_and_with_its_alpha(preset, tmp_path):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (30, 41, 4), "uint8"))
    exif = image.getexif()
    exif[274] = 6  # to be turned clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    result = run(
        *("translate", "--preset", preset, "--side-by-side"),
        *(tmp_path / "turned.png", tmp_path / "pair.png"),
    )
    assert result.exit_code == 0, result.output
    pair = np.asarray(Image.open(tmp_path / "pair.png"))
    upright = image.transpose(Image.Transpose.ROTATE_270)
    assert pair.shape == (41, 60, 4)
    np.testing.assert_array_equal(pair[:, :30], _seen(upright))
    np.testing.assert_array_equal(
        pair[:, 30:], CycleGAN.from_preset(preset).translate(tmp_path / "turned.png")
    )


def _seen(image):
    """On white, as the generator sees it, with the alpha that it carries over."""
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    white.putalpha(image.getchannel("A"))
    return np.asarray(white)


def test_limit_of_pixels_can_be_set(preset, images, tmp_path):
    result = run("translate", "--preset", preset, "--max-pixels", 1200, images, tmp_path / "out")
    assert result.exit_code == 1
    assert "1 of 2" in result.output


def test_image_is_never_written_over_itself(preset, images):
    result = run("translate", "--preset", preset, images, images)
    assert result.exit_code == 1
    assert "would replace an image of the source" in result.output


def test_unknown_preset_is_a_clear_error(images, tmp_path):
    result = run("translate", "--preset", "horse2zebr", images, tmp_path / "out")
    assert result.exit_code == 1
    assert "no preset 'horse2zebr'" in result.output
    assert "list_presets" in result.output


def test_presets_are_listed():
    result = run("presets")
    assert result.exit_code == 0
    assert "horse2zebra" in result.output


def test_a_failed_file_ends_the_command_without_a_second_error(preset, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(b"no image")
    command = ["translate", str(tmp_path / "in"), str(tmp_path / "out"), "--preset", preset]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "a.png" in result.output
    assert "Error: 1" not in result.output
