"""`CycleGAN.strengthen`: what a generator adds to its input, times a factor."""

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.inference import files, slides
from keras_cyclegan.networks import ResNetGenerator

SHAPE = (16, 16, 3)


def skipping(name):
    return ResNetGenerator(SHAPE, filters=4, num_blocks=1, input_skip=True, name=name)


def change(generator, images):
    """h of `tanh(h + artanh(0.98 · images))`."""
    return np.arctanh(generator.predict(images, verbose=0)) - np.arctanh(0.98 * images)


def test_strength_multiplies_what_a_generator_adds_one_way():
    keras.utils.set_random_seed(0)
    model = CycleGAN(skipping("ab"), skipping("ba"), None, None, image_shape=SHAPE)
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (2, *SHAPE)).astype("float32")
    before = [change(generator, images) for generator in model.generators()]
    model.strengthen(a_to_b=1.5)
    after = [change(generator, images) for generator in model.generators()]
    assert np.abs(before[0]).max() > 1e-3
    np.testing.assert_allclose(after[0], 1.5 * before[0], atol=1e-5)
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)


def test_a_generator_without_a_skip_and_a_factor_of_nothing_are_refused():
    plain = ResNetGenerator(SHAPE, filters=4, num_blocks=1, name="plain")
    model = CycleGAN(plain, skipping("ba"), None, None, image_shape=SHAPE)
    with pytest.raises(ValueError, match="plain has no skip"):
        model.strengthen(a_to_b=2.0)
    one_way = CycleGAN(skipping("ab"), None, None, None, image_shape=SHAPE)
    with pytest.raises(ValueError, match="only translates 'a_to_b'"):
        one_way.strengthen(b_to_a=2.0)
    with pytest.raises(ValueError, match=r"above 0\. Received -1"):
        model.strengthen(b_to_a=-1)


@pytest.mark.parametrize("frozen", [[], ["--frozen"]])
def test_the_command_line_strengthens_photos_and_slides(monkeypatch, tmp_path, frozen):
    strengths = []
    monkeypatch.setattr(CycleGAN, "strengthen", lambda _, **given: strengths.append(given))
    monkeypatch.setattr(slides, "translate_slide", lambda *_, **__: iter(()))
    monkeypatch.setattr(files, "translate_files", lambda *_, **__: iter(()))
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    command = ["translate", str(tmp_path / "photo.png"), str(tmp_path / "out.png"), *frozen]
    result = CliRunner().invoke(app, [*command, "--preset", "glyphs", "--strength", "1.5"])
    assert result.exit_code == 0, result.output
    assert strengths == [{"a_to_b": 1.5}]
