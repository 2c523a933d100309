"""A run on images of 12 bits, from the folders to scores in their units."""

import json

import numpy as np
import pytest
import tifffile

from keras_cyclegan import CycleGAN
from keras_cyclegan.callbacks import SampleGrid
from keras_cyclegan.data import unpaired_dataset
from keras_cyclegan.evaluation import evaluate, write_json, write_report
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.run import train_run

SMALL = {
    "filters": 4,
    "blocks": 0,
    "discriminator_filters": 4,
    "discriminator_layers": 1,
    "epochs": 1,
    "steps_per_epoch": 1,
}


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            image = random.integers(0, 4096, (24, 32)).astype("uint16")
            tifffile.imwrite(tmp_path / "set" / name / f"{number}.tif", image)
    return tmp_path / "set"


def test_a_run_on_twelve_bits_ends_in_scores_in_units(folder, tmp_path):
    options = TrainingOptions(
        str(folder), image_size="24x32", channels_a=1, channels_b=1, unit_b="counts",
        range_a="0 4095", range_b=(0, 4095), flip="both", **SMALL,
    )  # fmt: skip
    train_run(tmp_path / "run", options)
    train_run(tmp_path / "run", options)  # goes on, as options are read back equal
    model = CycleGAN.from_preset(str(tmp_path / "run" / "preset"))
    assert model.pixels_b.unit == "counts"
    assert model.image_shape == (24, 32, 1)
    evaluation = evaluate(model, folder, extractor="none", paired=True)
    assert evaluation.sets.a.dtype == "uint16"
    found = {(one.name, one.direction): one for one in evaluation.measured}
    plain, deep = (found[name, "a_to_b"] for name in ("MAE", "MAE, counts"))
    for one, other in (
        (plain.translated, deep.translated),
        (plain.untranslated, deep.untranslated),
    ):
        assert other.value == pytest.approx(4095 / 2 * one.value, rel=1e-4)
    truth = evaluation.sets.b.astype(float)
    translated = evaluation.round_trips["a_to_b"].translated
    assert translated.dtype == "uint16"
    assert deep.translated.value == pytest.approx(np.abs(translated - truth).mean(), rel=1e-3)
    write_json(evaluation, tmp_path / "x.json", "run")
    assert "counts" in (tmp_path / "x.json").read_text()
    assert write_report(evaluation, model, tmp_path / "page", "run").exists()
    json.loads((tmp_path / "x.json").read_text())


def test_grids_show_any_count_of_channels(tmp_path):
    shape = (32, 32, 8)
    generators = [ResNetGenerator(shape, 8, filters=4, num_blocks=0) for _ in "ab"]
    judges = [PatchDiscriminator(shape, filters=4, num_layers=1) for _ in "ab"]
    model = CycleGAN(*generators, *judges, image_shape=shape)
    model.compile()
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), "uint8")
    train = unpaired_dataset(images, images, steps_per_epoch=1)
    grids = [SampleGrid(tmp_path / "first", train), SampleGrid(tmp_path / "x", train, channels=[5])]
    model.fit(train, callbacks=grids, verbose=0)
    from PIL import Image

    colours, gray = (np.asarray(Image.open(next(grid.folder.iterdir()))) for grid in grids)
    assert colours.shape == gray.shape
    assert (gray[..., 0] == gray[..., 2]).all()
    assert (colours[..., 0] != colours[..., 2]).any()


def test_scores_of_features_need_chosen_channels(folder):
    shape = (24, 32, 5)
    model = CycleGAN(
        *[ResNetGenerator(shape, 5, filters=4, num_blocks=0) for _ in "ab"], None, None, shape
    )
    for name in ("testA", "testB"):
        for path in (folder / name).iterdir():
            path.unlink()
        np.save(folder / name / "x.npy", np.zeros((3, 24, 32, 5), "uint8"))

    def features(images):
        assert images.shape[-1] == 3
        return images.reshape(len(images), -1)[:, :9].astype("float32")

    for chosen, names in ((None, set()), ((4, 0, 1), {"KID"})):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                __import__("sys").modules["keras_cyclegan.scores.evaluate"],
                "find_extractor",
                lambda name: (features, None),
            )
            found = evaluate(model, folder, score_channels=chosen)
        assert {one.name for one in found.measured} & {"KID"} == names
        assert any("--score-channels 0,1,2" in note for note in found.notes) == (chosen is None)
