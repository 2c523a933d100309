"""The benchmark for a GPU, at toy size on a processor, in an environment without TensorFlow."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_cyclegan import CycleGAN

BENCHMARK = pathlib.Path(__file__).parents[2] / "benchmarks" / "gpu.py"
HIDDEN = """
import importlib.machinery

find_spec = importlib.machinery.PathFinder.find_spec


def find_others(name, path=None, target=None):
    if name.partition(".")[0] not in ("tensorflow", "tensorflow_datasets"):
        return find_spec(name, path, target)


importlib.machinery.PathFinder.find_spec = find_others
"""


@pytest.mark.slow
def test_all_rows_are_measured_and_fast_trains_without_tensorflow(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDDEN)
    random = np.random.default_rng(0)
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        for i in range(3):
            image = Image.fromarray(random.integers(0, 256, (80, 80, 3), "uint8"))
            image.save(tmp_path / f"train{domain}" / f"{i}.jpg")
    command = [sys.executable, BENCHMARK, "--toy", "--apart", "--size", "64", "--batch", "1"]
    command += ["--data", tmp_path, "--out", tmp_path / "run"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "KERAS_BACKEND": "jax"}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"  # compiles in half of the time
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [
        line for line in done.stdout.splitlines() if line.startswith("| p") or "PyTorch" in line
    ]
    assert len(rows) == 3
    assert not any("failed" in row for row in rows), done.stderr[-2000:]
    assert max(path.stat().st_size for path in (tmp_path / "run/preset").iterdir()) < 16 * 2**20
    image = CycleGAN.from_preset(str(tmp_path / "run")).translate(np.zeros((64, 64, 3), "uint8"))
    assert image.shape == (64, 64, 3)
