"""README's first command, at toy size."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.commands import quickstart
from keras_cyclegan.data.glyphs import render_glyphs


@pytest.fixture(scope="module", autouse=True)
def toy():
    small = {"epochs": 2, "filters": 4, "blocks": 0, "batch_size": 1}
    small |= {"discriminator_filters": 4, "discriminator_layers": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickstart, "OPTIONS", dataclasses.replace(quickstart.OPTIONS, **small))
        yield


def test_quickstart_trains_scores_and_leaves_files_that_agree(tmp_path):
    folder = tmp_path / "quickstart"
    result = CliRunner().invoke(app, ["quickstart", "--steps", "10", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Training on glyphs: 10 steps" in said
    assert "untranslated │ 0.07" in said
    assert f"{folder}/samples" in "".join(result.output.split())
    assert len(list((folder / "samples").iterdir())) == 2
    assert "Done in" in said
    for name in ("model.keras", "preset", "served"):
        assert f"{folder}/{name}" in "".join(result.output.split())
    assert np.asarray(Image.open(folder / "glyphs.png")).std() > 10

    image = render_glyphs("R", "a")[0]
    expected = CycleGAN.from_preset(str(folder / "preset")).translate(image)
    reloaded = keras.saving.load_model(folder / "model.keras").translate(image)
    np.testing.assert_array_equal(reloaded, expected)

    again = CliRunner().invoke(app, ["quickstart", "--steps", "10", "--out", str(folder)])
    assert again.exit_code == 0, again.output  # it writes over what it wrote


def test_file_that_translates_in_another_way_is_an_error():
    shown = Console(quiet=True)
    expected = np.full((1, 4, 4, 3), 7, "uint8")
    quickstart.check_translations(shown, "model.keras", expected, expected + 1)  # rounding
    with pytest.raises(RuntimeError, match=r"model\.keras differs .* by 2 grey levels"):
        quickstart.check_translations(shown, "model.keras", expected, expected - 2)
