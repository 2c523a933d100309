"""A preset that is kept up to date while a model trains."""

import json

import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import ResNetGenerator
from keras_cyclegan.training.preset_keeper import PresetKeeper


@pytest.fixture
def model():
    generators = [ResNetGenerator((16, 16, 3), filters=2, num_blocks=0) for _ in range(2)]
    return CycleGAN(*generators, None, None, image_shape=(16, 16, 3))


def keep(model, folder, **options):
    keeper = PresetKeeper(folder, **options)
    keeper.set_model(model)
    keeper.on_train_begin()
    return keeper


def stem(folder):
    generator = CycleGAN.from_preset(str(folder)).generator_ab
    return generator.get_layer("stem_conv").get_weights()[0]


def change(model, value):
    kernel = model.generator_ab.get_layer("stem_conv").kernel
    kernel.assign(np.full(kernel.shape, value))


def test_preset_is_the_model_at_the_end_of_each_epoch(model, tmp_path):
    keeper = keep(model, tmp_path / "preset", card=lambda: {"recipe": "short"}, half_precision=True)
    for value in (0.5, 0.25):
        change(model, value)
        keeper.on_epoch_end(0)
        assert (stem(tmp_path / "preset") == value).all()
    metadata = json.loads((tmp_path / "preset/metadata.json").read_text())
    assert metadata["card"]["recipe"] == "short"
    assert metadata["storage_dtype"] == "float16"
    assert "short" in (tmp_path / "preset/README.md").read_text()


def test_best_is_that_of_the_lowest_score(model, tmp_path):
    for value, kids in ((0.1, (0.5, 0.7)), (0.2, (0.5, 0.3)), (0.3, (0.4, 0.5)), (0.4, None)):
        # Of a run that was interrupted: what counts is the score of the preset that is there.
        keeper = keep(model, tmp_path / "preset", best=tmp_path / "best")
        change(model, value)
        keeper.on_epoch_end(0, {} if kids is None else {"kid_ab": kids[0], "kid_ba": kids[1]})
    np.testing.assert_allclose(stem(tmp_path / "best"), 0.2)
    np.testing.assert_allclose(stem(tmp_path / "preset"), 0.4)


def test_long_epochs_write_presets_too(model, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    written = []

    def save_to_preset(*_, **__):
        clock[0] += 30
        written.append(clock[0])

    monkeypatch.setattr(model, "save_to_preset", save_to_preset)
    keeper = keep(model, tmp_path / "preset", minutes=2)
    for batch in range(300):
        clock[0] += 1
        keeper.on_train_batch_end(batch)
    assert written == [150, 300]  # after two minutes, each in half a minute
    clock[0] += 1e6
    keep(model, tmp_path / "preset").on_train_batch_end(0)
    assert len(written) == 2


def test_what_can_not_be_written_is_a_warning_and_the_earlier_preset_stays(model, tmp_path):
    keeper = keep(model, tmp_path / "preset")
    change(model, 0.5)
    keeper.on_epoch_end(0)
    change(model, float("nan"))
    with pytest.warns(UserWarning, match="could not be written .*NaN.* The one before stays"):
        keeper.on_epoch_end(1)
    assert (stem(tmp_path / "preset") == 0.5).all()
