"""A run that is killed again and again ends as one that was never killed."""

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_cyclegan.training.history import read_history


@pytest.mark.parametrize(
    ("backend", "kills"),
    [
        ("tensorflow", 2),
        *(pytest.param(b, 10, marks=pytest.mark.slow) for b in ("tensorflow", "torch", "jax")),
    ],
)
def test_killed_run_ends_bit_for_bit_as_one_never_killed(backend, kills, tmp_path):
    trainer = f"keras_cyclegan.steps.{backend}"
    if not importlib.util.find_spec(backend) or not importlib.util.find_spec(trainer):
        pytest.skip(f"no {backend} here to train with")
    script = Path(__file__).parents[1] / "support" / "killed_runs.py"
    environment = {**os.environ, "KERAS_BACKEND": backend}
    path = [os.getcwd(), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    result = subprocess.run(
        [sys.executable, script, tmp_path, str(kills)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("killed at") == kills
    assert "1 files unfinished" in result.stdout  # a kill hit the middle of a checkpoint

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    ends = [sorted((folder / "checkpoints").iterdir()) for folder in (whole, killed)]
    assert [path.name for path in ends[0]] == [path.name for path in ends[1]]
    with np.load(ends[0][-1]) as one, np.load(ends[1][-1]) as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    histories = [read_history(folder / "history.jsonl") for folder in (whole, killed)]
    assert len(histories[0]) == math.ceil((2 * kills + 1) / 4)
    for one, other in zip(*histories, strict=True):
        times = {"seconds": 0, "processor_seconds": 0}
        assert {**one, **times} == {**other, **times}
    pictures = [sorted(folder.glob("samples/*.png")) for folder in (whole, killed)]
    assert [path.read_bytes() for path in pictures[0]] == [p.read_bytes() for p in pictures[1]]
