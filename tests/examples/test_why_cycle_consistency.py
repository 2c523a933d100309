"""The study of the objective's terms: its scores see a collapse, and it goes on where it ended."""

import json
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from support.examples import EXAMPLES, example

import keras_cyclegan
from keras_cyclegan import CycleGAN
from keras_cyclegan.data.load import ImageSets
from keras_cyclegan.metrics import FACADES_PALETTE


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)  # where its own modules are
        module = example("why_cycle_consistency")
        module.keras, module.kcg = keras, keras_cyclegan
        yield module


@pytest.fixture(scope="module")
def scores_of(study):
    return sys.modules["study_scores"]


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(0, 256, (12, 8, 8, 3)).astype("uint8")


def translator(there, back):
    inputs = keras.Input((None, None, 3))
    generators = [keras.Model(inputs, function(inputs)) for function in (there, back)]
    return CycleGAN(*generators, None, None, image_shape=(8, 8, 3))


def test_right_translations_score_full_marks(study, scores_of, images):
    model = translator(lambda x: -x, lambda x: -x)
    scores, samples = study.score(model, ImageSets(images, 255 - images, paired=True))
    for way in ("ab", "ba"):
        assert scores[f"error_{way}"] == scores[f"round_trip_{way}"] == 0
        assert scores[f"found_{way}"] == scores[f"diversity_{way}"] == 1
    np.testing.assert_array_equal(samples["ab"], 255 - images[: scores_of.SHOWN])


def test_collapse_is_seen_in_diversity_and_content(study, images):
    model = translator(lambda x: 0 * x, lambda x: x)
    scores, _ = study.score(model, ImageSets(images, images, paired=True))
    assert scores["diversity_ab"] == 0
    assert scores["found_ab"] == pytest.approx(1 / 12, abs=1e-3)  # the one nearest to gray
    assert scores["error_ab"] > 0.2
    assert scores["diversity_ba"] == scores["found_ba"] == 1


def test_swapped_content_of_full_diversity_is_seen_too(study, images):
    scores, _ = study.score(
        translator(lambda x: x, lambda x: x), ImageSets(images, images[::-1], paired=True)
    )
    assert scores["diversity_ab"] == 1
    assert scores["found_ab"] == 0


def test_without_pairs_only_what_needs_no_truth_is_scored(study, images):
    scores, _ = study.score(
        translator(lambda x: -x, lambda x: x), ImageSets(images, images[:7], paired=False)
    )
    assert not {"error_ab", "found_ba", "turned_ab", "mean_iou_ab"} & scores.keys()
    assert scores["diversity_ab"] == pytest.approx(1.0, abs=0.1)
    assert scores["round_trip_ab"] > 0.1


def test_runs_that_were_made_are_not_made_again(study, images, monkeypatch, tmp_path, capsys):
    made = []

    class Trial:
        def __init__(self, options, objective):
            self.objective = objective

        def run(self, seed):
            made.append((self.objective, seed))
            names = [f"{name}_{way}" for name in study.COLUMNS for way in ("ab", "ba")]
            samples = {"a": images[:2], "b": images[:2], "ab": images[2:4]}
            return {
                **dict.fromkeys(names, 0.25 + seed),
                "seconds": 1,
                "processor_seconds": 2,
            }, samples

    monkeypatch.setattr(study, "Trial", Trial)
    sets = ImageSets(images, 255 - images, paired=True)
    monkeypatch.setattr(study, "load", lambda options, seed: (None, sets))

    def command(*options):
        monkeypatch.setattr(sys, "argv", ["study", "--out", str(tmp_path), *options])
        study.main()
        return capsys.readouterr().out

    command("--seeds", "1", "--steps", "5")
    assert len(made) == len(study.OBJECTIVES)
    table = command("--seeds", "2", "--steps", "5")
    assert len(made) == 2 * len(study.OBJECTIVES)
    assert {seed for _, seed in made[len(study.OBJECTIVES) :]} == {1}
    assert "| adversarial only | 0.7500 ± 0.5000 |" in table
    assert "| untranslated | 0.4805 |" in table
    assert command("--seeds", "2", "--steps", "5") == table
    assert len(made) == 2 * len(study.OBJECTIVES)
    command("--seeds", "1", "--steps", "6")  # is another study
    assert len(made) == 3 * len(study.OBJECTIVES)
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(rows) == len(made)
    assert (tmp_path / "study.png").stat().st_size > 1000


def test_a_folder_of_pairs_is_cut_in_halves_and_scored_as_label_maps(
    study, monkeypatch, tmp_path, capsys
):
    """The left half is the photo, and the label map beside it is the truth of its translation."""
    random = np.random.RandomState(0)
    for part, count in (("train", 2), ("test", 3)):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for i in range(count):
            pair = random.randint(0, 256, (16, 32, 3)).astype("uint8")
            pair[:, 16:] = FACADES_PALETTE[3]
            pair[:8, 16:] = FACADES_PALETTE[i]
            Image.fromarray(pair).save(tmp_path / "pairs" / part / f"{i}.png")
    given = []

    class Trial:
        def __init__(self, options, objective):
            self.options = options

        def run(self, seed):
            _, test = study.load(self.options, seed)
            given.append(test)
            model = translator(lambda x: x, lambda x: x)
            sets = ImageSets(test.b, test.b, paired=True)
            scores, samples = study.score(model, sets, **study.scoring(self.options))
            return {**scores, "seconds": 1, "processor_seconds": 1}, samples

    monkeypatch.setattr(study, "Trial", Trial)
    arguments = ["--out", tmp_path / "out", "--data", tmp_path / "pairs", "--palette", "facades"]
    arguments += ["--image-size", 16, "--seeds", 1, "--objectives", "cycle only"]
    monkeypatch.setattr(sys, "argv", ["study", *map(str, arguments)])
    study.main()
    (sets,) = given
    assert sets.paired
    for i in range(3):
        pair = np.asarray(Image.open(tmp_path / "pairs" / "test" / f"{i}.png"))
        np.testing.assert_array_equal(np.concatenate([sets.a[i], sets.b[i]], axis=1), pair)
    table = {
        row.split(" | ")[0].strip("| "): row.strip("| ").split(" | ")
        for row in capsys.readouterr().out.splitlines()
        if row.startswith("|")
    }
    assert table["objective"][-3:] == [
        *("pixel accuracy A→B", "class accuracy A→B", "mean iou A→B"),
    ]
    assert table["cycle only"][-3:] == ["1.000"] * 3
    # The lower halves, 1/2 of all pixels; 1 of 4 classes; of its own ½ of what it covers.
    assert table["the commonest label everywhere"][-3:] == ["0.500", "0.250", "0.125"]


def test_unknown_rows_are_refused_by_name(study, monkeypatch, tmp_path):
    arguments = ["--out", str(tmp_path), "--data", "shapes", "--objectives", "full, hinge"]
    monkeypatch.setattr(sys, "argv", ["study", *arguments])
    with pytest.raises(SystemExit, match=r"U-GAT-IT.*Received \['full, hinge'\]"):
        study.main()


def test_tilt_of_objects_is_measured(scores_of):
    """Bars drawn at known angles, seen as they are, mirrored, and laid flat."""
    y, x = np.mgrid[-15.5:16, -15.5:16]
    angles = np.radians([-30, -10, 0, 5, 25])

    def bars(angles):
        along = [np.abs(x * np.cos(t) + y * np.sin(t)) for t in angles]
        across = [np.abs(y * np.cos(t) - x * np.sin(t)) for t in angles]
        there = (np.array(along) < 10) & (np.array(across) < 2)
        return np.where(there[..., None].repeat(3, -1), 10, 250).astype("uint8")

    flat, tilts = scores_of.tilt(bars(angles))
    assert flat.all()
    np.testing.assert_allclose(tilts, angles, atol=0.03)
    upright = bars(angles).transpose(0, 2, 1, 3)
    assert not scores_of.tilt(upright)[0].any()
    for shown, turned, kept in (
        (bars(angles / 2), 1.0, 0.5),
        (bars(0 * angles), 1.0, 0.0),
        (upright, 0.0, 1.0),
    ):
        found = scores_of.measure("ab", upright, shown, upright, upright, True, turns=True)
        assert found["turned_ab"] == turned
        assert found["tilt_kept_ab"] == pytest.approx(kept, abs=0.06)
        found = scores_of.measure("ba", upright, shown, upright, upright, True, turns=True)
        assert found["turned_ba"] == 1 - turned
        assert "tilt_kept_ba" not in found


def test_shapes_share_their_middle_and_area_and_differ_in_geometry(study, scores_of):
    shapes = sys.modules["study_data"].shapes
    ellipses, rectangles = (shapes(domain, 40, seed=2) for domain in "ab")
    inks = []
    for images, lies_flat, least, most in (
        (ellipses, False, 0.2, 0.8),
        (rectangles, True, 0, 0.02),
    ):
        flat, tilts = scores_of.tilt(images)
        assert (flat == lies_flat).all()
        assert least <= np.abs(tilts).max() <= most
        dark = 1 - images.mean(-1) / 255
        middles = [(dark.sum(axis) * np.arange(32)).sum(1) / dark.sum((1, 2)) for axis in (1, 2)]
        inks.append((dark.sum((1, 2)), *middles))
    np.testing.assert_allclose(inks[0][0], inks[1][0], rtol=0.08)
    np.testing.assert_allclose(inks[0][1:], inks[1][1:], atol=0.2)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("PAPER", "cycle only"),
        ("PAPER", "+ backward cycle"),
        ("GEOMETRY", "λ from 10 to 0.5"),
        ("GEOMETRY", "full, attention with input skip"),
        ("GEOMETRY", "U-GAT-IT"),
    ],
)
def test_objectives_become_models(study, table, name):
    objective = getattr(study, table)[name]
    model = study.build(objective, (32, 32, 3))
    study.compile_model(model, objective)
    assert model.adversarial_loss.weight == objective.adversarial
    assert model.cycle_loss.weight * model.weight_a == objective.forward
    assert model.cycle_loss.weight * model.weight_b == objective.backward
    assert (model.cycle_schedule is None) == (objective.final == 1)
    assert (model.activation_loss is None) == (objective.generator != "ugatit")
    assert getattr(model.generator_ba, "input_skip", False) == objective.input_skip


@pytest.mark.slow
@pytest.mark.parametrize("data", ["glyphs", "shapes"])
def test_every_objective_trains(study, monkeypatch, tmp_path, data):
    options = ["--data", data, "--steps", "1", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", ["study", "--out", str(tmp_path), *options])
    study.main()
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    names = study.GEOMETRY if data == "shapes" else study.OBJECTIVES
    assert [row["objective"] for row in rows] == list(names)
