"""The examples that train: each at a size that takes a moment, and as a command (slow)."""

import json
import os
import re
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
from PIL import Image
from support.examples import EXAMPLES, example

from keras_cyclegan import CycleGAN
from keras_cyclegan.passes import Batch


def test_every_example_is_listed_with_a_line():
    text = (EXAMPLES / "README.md").read_text()
    names = [f.name for f in EXAMPLES.iterdir() if f.suffix in (".py", ".ipynb") or f.is_dir()]
    names = [name for name in names if not name.startswith(("_", "."))]
    assert len(names) > 8
    assert [name for name in names if f"[{name}" not in text] == []


def test_training_on_folders_holds_images_out_and_writes_what_it_says(
    folder, tmp_path, eager, small
):
    example("train_on_folders").main(str(folder), tmp_path, **small)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["epoch-0001.png"]
    assert json.loads((tmp_path / "history.jsonl").read_text())["epoch"] == 1
    picture = np.zeros((18, 21, 3), "uint8")
    assert CycleGAN.from_preset(str(tmp_path / "preset")).translate(picture).shape == (18, 21, 3)


@pytest.mark.slow
def test_training_on_folders_goes_on_where_it_stood(folder, tmp_path, eager, small):
    main = example("train_on_folders").main
    main(str(folder), tmp_path, **small)
    main(str(folder), tmp_path, **{**small, "epochs": 2})
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]


@pytest.mark.slow
def test_fine_tuning_teaches_new_discriminators_before_it_moves_the_generators(
    folder, preset, tmp_path, eager, monkeypatch
):
    taught = []
    fit = CycleGAN.fit

    def watched_fit(self, *args, **kwargs):
        before = self.discriminator_a.get_weights()
        result = fit(self, *args, **kwargs)
        after = self.discriminator_a.get_weights()
        moved = any((a != b).any() for a, b in zip(before, after, strict=True))
        taught.append((moved, [w.copy() for w in self.generator_ab.get_weights()]))
        return result

    monkeypatch.setattr(CycleGAN, "fit", watched_fit)
    main = example("fine_tune_preset").main
    main(str(preset), str(folder), tmp_path, epochs=1, steps_per_epoch=1, warm_up_epochs=1)
    given = CycleGAN.from_preset(str(preset)).generator_ab.get_weights()
    (moved, held), (_, tuned) = taught
    assert moved
    assert all((a == b).all() for a, b in zip(given, held, strict=True))
    assert any((a != b).any() for a, b in zip(given, tuned, strict=True))
    saved = CycleGAN.from_preset(str(tmp_path / "preset")).generator_ab.get_weights()
    assert all(np.allclose(a, b) for a, b in zip(saved, tuned, strict=True))


def test_digits_are_those_of_their_labels_in_both_renderings(tmp_path):
    adaptation = example("domain_adaptation")
    chalk, labels = adaptation.digits(30, "a", seed=0)
    printed, same = adaptation.digits(30, "b", seed=1)
    np.testing.assert_array_equal(adaptation.digits(30, "a", seed=0)[0], chalk)
    assert set(labels) | set(same) == set(range(10))
    assert printed.mean() > 180 > 130 > chalk.mean()
    adaptation.write(tmp_path, {"a": chalk, "b": printed}, {"a": labels, "b": same})
    for domain, known in (("a", labels), ("b", same)):
        files = {path.name: int(path.parent.name) for path in tmp_path.glob(f"labels/*/{domain}*")}
        assert [files[f"{domain}{i:04}.png"] for i in range(30)] == known.tolist()
        assert len(list((tmp_path / f"test{domain.upper()}").iterdir())) == 30


@pytest.mark.slow
def test_domain_adaptation_runs_from_end_to_end(tmp_path, monkeypatch, capsys):
    command = ["domain_adaptation.py", "--out", str(tmp_path), "--toy"]
    monkeypatch.setattr(sys, "argv", command)
    example("domain_adaptation").main()
    assert "| seed | chalk, untranslated | chalk, translated | print |" in capsys.readouterr().out
    assert (tmp_path / "seed-0" / "report" / "index.html").exists()


def test_own_losses_are_what_they_say():
    losses = example("custom_loss")
    # An error of 1 in the left half of 2×4 pixels: one edge of 1 in 3 columns.
    error = np.zeros((1, 2, 4, 1), "float32")
    error[:, :, :2] = 1
    value = losses.EdgeCycleLoss(weight=10, edges=2)(np.zeros_like(error), error)
    assert float(value) == pytest.approx(10 * (0.5 + 2 * 1 / 3))
    game = losses.MarginGame(margin=0.5)
    real, fake = np.array([[0.75], [0.25]]), np.array([[-1.0], [0.5]])
    assert float(game.discriminator(real, fake)) == pytest.approx(0.25 / 2 + 1.0 / 2)
    assert float(game.generator(fake)) == pytest.approx(0.25)


@pytest.mark.slow
def test_own_losses_are_saved_with_the_model(folder, tmp_path, eager, small):
    example("custom_loss").main(str(folder), tmp_path, **small, margin=0.5, edges=2.0)
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.adversarial_loss.margin == 0.5
    assert reloaded.cycle_loss.edges == 2.0


@pytest.mark.slow
def test_own_generator_trains_and_translates_any_size_from_its_preset(
    folder, tmp_path, eager, small, capsys
):
    example("custom_generator").main(str(folder), tmp_path, **small)
    assert "translates (70, 101, 3) to (70, 101, 3)" in capsys.readouterr().out
    model = CycleGAN.from_preset(str(tmp_path / "preset"))
    names = [layer.name for layer in model.generator_ab.layers]
    assert any("depthwise" in name for name in names)


def test_edges_are_counted_down_and_across():
    change = np.zeros((1, 4, 4, 1), "float32")
    change[:, 2:] = 1  # one edge of 1 among three
    assert float(example("edge_term").edges(change)) == pytest.approx(1 / 3)


def test_what_lies_beyond_a_mask_counts_and_is_not_shown(capsys, eager):
    script = example("masked_training")
    real, fake = np.zeros((1, 2, 2, 1), "float32"), np.ones((1, 2, 2, 1), "float32")
    mask = np.array([1.0, 0, 0, 0], "float32").reshape(real.shape)
    batch = Batch(a=real, b=real, mask_a=mask, mask_b=mask)
    np.testing.assert_array_equal(script.inside(fake, "a", batch), mask)
    passes = types.SimpleNamespace(batch=batch, fake_a=fake, fake_b=fake)
    found = script.KeepTerm()(passes)
    assert {name: float(value) for name, value in found.items()} == {"keep_a": 7.5, "keep_b": 7.5}
    script.main(steps=1)
    assert "Levels changed: left" in capsys.readouterr().out


@pytest.mark.slow
def test_a_few_hundred_steps_keep_edges_and_what_lies_beyond_a_mask(capsys):
    changed = []
    for weight in (0.0, 10.0):
        example("edge_term").main(weight)
        changed.append(float(capsys.readouterr().out.split()[-3]))
    assert changed[1] < 0.6 * changed[0]
    example("masked_training").main()
    left, right = re.findall(r"[\d.]+\d", capsys.readouterr().out)[-2:]
    assert float(left) < 0.3 * float(right)


def test_patches_are_found_again_by_contrast(tmp_path, eager, capsys):
    script = example("contrastive")
    script.main("glyphs", tmp_path, steps=1)
    assert "Error untranslated 0.0707, translated" in capsys.readouterr().out
    model = CycleGAN.from_preset(str(tmp_path / "preset"))
    assert (model.generator_ba, model.discriminator_a) == (None, None)


def test_gray_pictures_become_coloured_ones(folder, tmp_path, eager, small):
    example("channel_counts").main("gray", folder, tmp_path, **small)
    model = CycleGAN.from_preset(str(tmp_path / "preset"))
    assert model.generator_ab.input_shape[-1] == model.generator_ba.output_shape[-1] == 1
    assert model.generator_ba.input_shape[-1] == model.generator_ab.output_shape[-1] == 3
    assert Image.open(tmp_path / "translated.png").mode == "RGB"


COLOURS = [[0, 0, 255], [0, 255, 0], [128, 128, 128], [255, 255, 0]]


def test_label_maps_become_one_channel_a_class():
    channels = example("channel_counts")
    maps = np.array([[[[0, 0, 250], [130, 120, 128]], [[250, 250, 9], [10, 255, 10]]]], "uint8")
    classes = channels.classes_of(maps, COLOURS)
    np.testing.assert_array_equal(classes, [[[0, 2], [3, 1]]])
    a, b = channels.Pairs(maps, classes, COLOURS, seed=0)[0]
    assert a.shape == (1, 2, 2, 3)
    assert b.shape == (1, 2, 2, 4)
    assert (b.sum(axis=-1) == -2).all()  # one class is 1, three are -1


@pytest.mark.slow
def test_photos_become_label_maps_of_the_palettes_colours(folder, tmp_path, eager, small):
    (tmp_path / "palette.json").write_text(json.dumps(COLOURS))
    main = example("channel_counts").main
    main("labels", folder, tmp_path, palette=tmp_path / "palette.json", **small)
    model = CycleGAN.from_preset(str(tmp_path / "preset"))
    assert model.generator_ab.output_shape[-1] == 4
    made = np.asarray(Image.open(tmp_path / "translated.png"))
    assert {tuple(colour) for colour in made.reshape(-1, 3).tolist()} <= set(map(tuple, COLOURS))


COMMANDS = {
    "train_on_folders": ["glyphs", "run", "--toy"],
    "fine_tune_preset": ["glyphs", "glyphs", "run", "--toy"],
    "custom_loss": ["glyphs", "run", "--toy"],
    "contrastive": ["glyphs", "run", "--steps", "5"],
    "sixteen_bits": ["run", "--toy"],
    "custom_generator": ["glyphs", "run", "--toy"],
    "several_gpus": ["glyphs", "run", "--toy"],
    "channel_counts gray": ["gray", "shapes", "run", "--toy"],
    "channel_counts labels": ["labels", "shapes", "run", "--toy"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_of_the_examples_run_as_they_are_written(name, tmp_path):
    script = EXAMPLES / f"{name.split()[0]}.py"
    paths = os.pathsep.join([str(EXAMPLES.parent), *sys.path])
    finished = subprocess.run(
        [sys.executable, str(script), *COMMANDS[name]],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert "absl::InitializeLog" not in finished.stderr
    assert list((tmp_path / "run").iterdir())
    if name == "several_gpus":
        assert "2 devices, 2 images of each domain on each." in finished.stdout
