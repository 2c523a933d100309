"""A run's folder: one process, known options, longer runs, scores and presets on the way."""

import dataclasses
import itertools
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from support.eager import eagerly
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.folder import (
    compare_options,
    complete_options,
    keep_epochs,
    locked,
    read_options,
    write_options,
    write_place,
)
from keras_cyclegan.training.history import read_history
from keras_cyclegan.training.networks import build_model
from keras_cyclegan.training.optimisation import compile_model
from keras_cyclegan.training.run import measure_scores, train_run
from keras_cyclegan.training.translation_metrics import TranslationMetrics

TINY = TrainingOptions(
    data="glyphs",
    image_size=32,
    epochs=2,
    steps_per_epoch=2,
    filters=2,
    blocks=0,
    discriminator_filters=2,
    discriminator_layers=1,
)


# --- one process ---------------------------------------------------------------------------------


def test_a_second_process_is_refused_with_the_name_of_the_first(tmp_path):
    script = """
import sys, time
from keras_cyclegan.training.folder import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(RuntimeError, match="in use by another process"), locked(tmp_path):
            pass
        command = ["train", "glyphs", "--out", str(tmp_path)]
        assert "another process" in CliRunner().invoke(app, command).output
        assert not (tmp_path / "config.json").exists()
        other.kill()  # no chance to clean up
    with locked(tmp_path):
        pass


# --- known options -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "", "\n", '{"data": "gly', '{"data": 3}', "[]"])
def test_a_run_whose_options_are_lost_is_not_continued(tmp_path, content):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/step-000000001.npz").touch()
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json.* is missing, damaged or"):
        train_run(tmp_path, TINY)
    assert (tmp_path / "checkpoints/step-000000001.npz").exists()


def test_run_of_an_earlier_version_goes_on_and_of_a_later_one_does_not(tmp_path):
    recorded = dataclasses.asdict(TINY)
    del recorded["generator"], recorded["scores"]
    (tmp_path / "config.json").write_text(json.dumps(recorded))
    assert compare_options(tmp_path, TINY) == ""
    (tmp_path / "config.json").write_text(json.dumps({**recorded, "spectral": True}))
    with pytest.raises(ValueError, match=r"later version: .*'spectral'"):
        compare_options(tmp_path, TINY)


def test_config_records_the_name_of_the_data_and_not_its_path(tmp_path):
    data = tmp_path / "private" / "horses"
    data.mkdir(parents=True)
    write_options(tmp_path, dataclasses.replace(TINY, data=str(data)))
    assert read_options(tmp_path)["data"] == "horses"
    assert "private" not in (tmp_path / "config.json").read_text()


# --- longer --------------------------------------------------------------------------------------


def test_length_of_a_run_may_change(tmp_path):
    write_options(tmp_path, TINY)
    longer = dataclasses.replace(TINY, epochs=10)
    assert compare_options(tmp_path, longer) == "epochs was 2, now 10"


def test_gray_images_are_scored_as_gray_rgb(monkeypatch):
    seen = []

    def extract(images):
        seen.append(images.shape)
        return mean_colours(images)

    monkeypatch.setattr(
        "keras_cyclegan.scores.extractors.find_extractor", lambda name: (extract, None)
    )
    options = dataclasses.replace(TINY, scores="glyphs", channels_a=1, identity_weight=0.0)
    (callback,), _ = measure_scores(options, build_model(options))
    assert (callback.images_a.shape[-1], callback.images_b.shape[-1]) == (1, 3)
    (metric,) = callback.metrics
    metric.update_state(real=callback.images_a[:2], generated=callback.images_b[:2])
    assert seen == [(2, 32, 32, 3)] * 2


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with scores, on features that need no network."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "keras_cyclegan.scores.extractors.find_extractor", lambda name: (mean_colours, None)
        )
        options = dataclasses.replace(TINY, scores="glyphs", scores_every=1, half_precision=True)
        with eagerly():
            train_run(folder, options)
            train_run(folder, dataclasses.replace(options, epochs=3))
    return folder


def test_a_run_ends_when_its_scores_get_no_lower_and_stays_ended(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    rows = read_history(run / "history.jsonl")
    lines = [{**row, "kid_ab": 0.1 * row["epoch"], "kid_ba": 0.0} for row in rows]
    (run / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = TrainingOptions(**read_options(run))
    with pytest.MonkeyPatch.context() as patch, eagerly():
        patch.setattr(
            "keras_cyclegan.scores.extractors.find_extractor", lambda name: (mean_colours, None)
        )
        for patience, epochs in ((2, 3), (3, 4), (3, 4)):  # of 9, after the first epoch's score
            patch.setattr(TranslationMetrics, "measure", lambda self: {"kid_ab": 1, "kid_ba": 1})
            train_run(run, dataclasses.replace(options, epochs=9, early_stop=patience))
            assert len(read_history(run / "history.jsonl")) == epochs
    model = keras.saving.load_model(run / "model.keras")
    assert int(model.optimizer.iterations) == 8


def mean_colours(images):
    return np.asarray(images, "float32").mean(axis=(1, 2)) / 255


def test_finished_run_goes_on_with_more_epochs(finished):
    rows = read_history(finished / "history.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert read_options(finished)["epochs"] == 3


def test_scores_go_to_the_history_and_the_best_preset_is_kept(finished):
    rows = read_history(finished / "history.jsonl")
    means = [(row["kid_ab"] + row["kid_ba"]) / 2 for row in rows]
    card = json.loads((finished / "best/metadata.json").read_text())["card"]
    assert float(card["mean of kid_ab, kid_ba"]) == min(means)
    steps = 2 * (int(np.argmin(means)) + 1)
    assert card["training"].startswith(f"{steps} steps")


def test_card_of_the_preset_tells_of_the_run(finished):
    metadata = json.loads((finished / "preset/metadata.json").read_text())
    card = metadata["card"]
    assert metadata["storage_dtype"] == "float16"
    assert card["training_data"].startswith("glyphs")
    assert "--filters 2 --blocks 0" in card["recipe"]
    assert card["training"].startswith("6 steps of batch size 1, 0.0 hours on ")
    last = read_history(finished / "history.jsonl")[-1]
    assert f"KID×100 after epoch 3: {100 * last['kid_ab']:.2f} from A to B" in card["scores"]
    assert "mean_colours" in card["scores"]


# --- from a preset -------------------------------------------------------------------------------


def test_run_starts_from_a_preset_with_fresh_discriminators(finished):
    preset = CycleGAN.from_preset(str(finished / "preset"))
    start = dataclasses.replace(TINY, init=str(finished / "preset"), filters=None, blocks=None)
    with pytest.raises(ValueError, match=r"can't change.*or give `fresh_discriminators`"):
        build_model(dataclasses.replace(start, discriminator="pixel"))
    model = build_model(
        dataclasses.replace(start, fresh_discriminators=True, discriminator_filters=3)
    )
    for mine, theirs in zip(
        model.generator_ab.get_weights(), preset.generator_ab.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert model.discriminator_a.filters == 3
    with pytest.raises(ValueError, match="`fresh_discriminators` needs `init`"):
        dataclasses.replace(TINY, fresh_discriminators=True)


def test_generators_of_a_preset_wait_while_new_discriminators_learn(tmp_path):
    generator = build_model(TINY).generator_ab
    one_way = CycleGAN(generator, None, None, None, image_shape=(32, 32, 3))
    one_way.save_to_preset(tmp_path / "one_way")
    start = dataclasses.replace(
        TINY, init=str(tmp_path / "one_way"), fresh_discriminators=True, discriminator_warmup=2
    )
    model = build_model(start)
    compile_model(model, start)
    model.run_eagerly = True
    pair = [np.random.default_rng(i).uniform(-1, 1, (1, 32, 32, 3)) for i in range(2)]
    seen = []
    for _ in range(4):
        seen.append([model.generator_ab.get_weights(), model.discriminator_b.get_weights()])
        model.train_on_batch(*pair)
    same = [
        [all(map(np.array_equal, *pair)) for pair in zip(one, two, strict=True)]
        for one, two in itertools.pairwise(seen)
    ]
    assert same == [[True, False], [True, False], [False, False]]
    np.testing.assert_array_equal(seen[0][0][0], generator.get_weights()[0])


# --- going on ------------------------------------------------------------------------------------


def test_a_run_goes_on_with_its_own_options_where_none_are_given(tmp_path):
    data = tmp_path / "horses"
    for name in ("trainA", "trainB"):
        (data / name).mkdir(parents=True)
    write_options(tmp_path, dataclasses.replace(TINY, data=str(data)))
    (data / "trainA/1.png").write_bytes(b"listed, not read")
    (data / "trainB/1.png").write_bytes(b"listed, not read")
    write_place(tmp_path, dataclasses.replace(TINY, data=str(data)), 2)
    chosen = complete_options(tmp_path, {"epochs": 7})
    assert chosen == dataclasses.replace(TINY, data=str(data), epochs=7)
    assert complete_options(tmp_path, {}, {"filters": 3}).filters == 3
    with pytest.raises(ValueError, match="A new run needs `data`"):
        complete_options(tmp_path / "new", {"epochs": 7})


def test_other_images_are_refused_or_go_on_in_epochs_as_long_as_before(tmp_path):
    for name in ("trainA/1", "trainA/2", "trainB/1"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"listed, not read")
    options = dataclasses.replace(TINY, data=str(tmp_path), steps_per_epoch=None)
    write_place(tmp_path, options, 2)
    assert keep_epochs(tmp_path, options, False) == options
    (tmp_path / "trainA/3.png").write_bytes(b"listed, not read")
    with pytest.raises(ValueError, match="2 of A and 1 of B, now 3 of A and 1 of B"):
        keep_epochs(tmp_path, options, False)
    assert keep_epochs(tmp_path, options, True).steps_per_epoch == 2
