"""The curve of the recipes: equal processor time for each run, and points where it was scored."""

import itertools
import json
import pathlib
import subprocess
import sys

import pytest

SECONDS = {"fast": 0.5, "paper": 2.0}  # of a step


@pytest.fixture
def curve(script):
    return script("presets/recipes_curve")


@pytest.fixture
def commands(monkeypatch):
    """Runs of `train` that only write what a history holds: tracing and scores take 9 s more."""
    made = []

    def run(command, check):
        options = dict(itertools.pairwise(command))
        made.append(options)
        folder, steps = pathlib.Path(options["--out"]), int(options["--steps-per-epoch"])
        folder.mkdir(parents=True)
        with open(folder / "history.jsonl", "w") as file:
            for epoch in range(1, int(options["--epochs"]) + 1):
                row = {"epoch": epoch, "step": steps * epoch}
                row["processor_seconds"] = SECONDS[options["--recipe"]] * steps
                every = int(options.get("--scores-every", 1000))
                if epoch == 1 or epoch % every == 0:
                    row["processor_seconds"] += 9
                if every < 1000:
                    row |= {"kid_ab": 0.1 / epoch, "kid_ba": 0.2 / epoch}
                file.write(json.dumps(row) + "\n")

    monkeypatch.setattr(subprocess, "run", run)
    return made


def test_runs_take_equal_processor_time_and_are_drawn_where_they_were_scored(
    curve, commands, monkeypatch, tmp_path, capsys
):
    for domain, count in (("A", 5), ("B", 6)):
        (tmp_path / f"train{domain}").mkdir()
        for i in range(count):
            (tmp_path / f"train{domain}" / f"{i}.jpg").touch()
    monkeypatch.setattr(curve, "untranslated", lambda data, image_size: 12.5)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            *("curve", str(tmp_path), "--out", str(tmp_path / "curve"), "--minutes", "10"),
            *("--points", "2", "--holdout", "2", "3", "--runs", "fast", "paper"),
        ],
    )
    curve.main()
    steps = [int(each["--steps-per-epoch"]) for each in commands]
    # 10 minutes in 4 epochs, of 0.5 and of 2 s a step, each after a trial.
    assert steps == [20, 300, 20, 75]
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert rows[2:] == [
        "| untranslated | 0 | 0 | 12.50 | 12.50 |",
        "| fast | 600 | 0.08 | 5.00 | 10.00 |",
        "| fast | 1,200 | 0.17 | 2.50 | 5.00 |",
        "| paper | 150 | 0.08 | 5.00 | 10.00 |",
        "| paper | 300 | 0.17 | 2.50 | 5.00 |",
    ]
    assert (tmp_path / "curve" / "curve.png").stat().st_size > 1000
    kept = {
        folder.name: sorted(path.name for path in folder.iterdir())
        for folder in (tmp_path / "curve" / "data").iterdir()
    }
    assert kept["trainA"] == ["0.jpg", "1.jpg", "2.jpg"]
    assert kept["testB"] == ["3.jpg", "4.jpg", "5.jpg"]


def test_what_there_is_can_be_shown_before_all_runs_have_ended(
    curve, commands, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(curve, "hold_out", lambda data, folder, counts: folder)
    monkeypatch.setattr(curve, "untranslated", lambda data, image_size: 12.5)
    monkeypatch.setattr(sys, "argv", ["curve", "data", "--out", str(tmp_path), "--show"])
    with pytest.raises(SystemExit, match="third epoch"):
        curve.main()
    for name, epochs in (("fast", 3), ("paper", 1)):
        (tmp_path / name).mkdir()
        rows = [
            {"epoch": i, "step": 60 * i, "processor_seconds": 30, "kid_ab": 0.1, "kid_ba": 0.2}
            for i in range(1, epochs + 1)
        ]
        (tmp_path / name / "history.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    curve.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert rows[3:] == ["| fast | 120 | 0.02 | 10.00 | 20.00 |"]
    assert (tmp_path / "curve.png").exists()
    assert not commands
