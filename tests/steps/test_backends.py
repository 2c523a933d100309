"""TensorFlow, JAX and torch train, save and load as one: each in a process of its own, where JAX
and torch find no TensorFlow.
"""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from support.jax_compiler import environment

from keras_cyclegan.data import load

BACKENDS = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]
PAIRS = list(itertools.permutations(BACKENDS, 2))
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What each backend's training wrote, from the same weights, images and seed; and beside it
    what each backend made of the others' files.
    """
    root = tmp_path_factory.mktemp("backends")
    folders = {backend: root / backend for backend in BACKENDS}
    logs = {backend: root / f"{backend}.log" for backend in BACKENDS}
    for folder in folders.values():
        folder.mkdir()
    processes = {
        backend: subprocess.Popen(
            [
                *(sys.executable, *worker(backend), folders[backend]),
                *(folder for other, folder in folders.items() if other != backend),
            ],
            env={**os.environ, "KERAS_BACKEND": backend, **environment(backend)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=logs[backend].open("w"),
            text=True,
        )
        for backend in BACKENDS
    }
    try:
        for backend, process in processes.items():
            assert "trained\n" in process.stdout, f"{backend}: {logs[backend].read_text()[-3000:]}"
        for backend, process in processes.items():  # all files are there: each may go on
            process.communicate("load\n")
            assert process.returncode == 0, f"{backend}: {logs[backend].read_text()[-3000:]}"
    finally:
        for process in processes.values():
            process.kill()
    return root


def worker(backend):
    if backend == "tensorflow":
        return SUPPORT / "backend_worker.py", "train-and-load"
    return (SUPPORT / "without_tensorflow.py",)


def read(path):
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("other", BACKENDS[1:])
def test_loss_history_agrees_to_five_digits(trained, other):
    first, second = (read(trained / b / "trained.npz")["history"] for b in (BACKENDS[0], other))
    assert first.shape == (10, 9)
    assert np.abs(np.diff(first, axis=0)).max() > 0.01, "the model doesn't train"
    np.testing.assert_allclose(second, first, rtol=1e-5)


@pytest.mark.parametrize("other", BACKENDS[1:])
def test_trained_weights_and_pools_agree_to_five_digits(trained, other):
    first, second = (read(trained / b / "trained.npz") for b in (BACKENDS[0], other))
    compared = 0
    for name, value in first.items():
        # A bias in front of an instance norm has no gradient but rounding, which Adam magnifies,
        # and no effect: kernels tell.
        if name.startswith("pool") or (value.ndim == 4 and not name.startswith("optimizer")):
            scale = np.abs(value).max()
            np.testing.assert_allclose(second[name], value, rtol=0, atol=1e-5 * scale, err_msg=name)
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("other", BACKENDS[1:])
def test_answers_of_the_trained_models_agree(trained, other):
    first, second = (read(trained / b / "trained.npz") for b in (BACKENDS[0], other))
    for name in ("evaluate", "predict", "cropped", "translations"):
        np.testing.assert_allclose(second[name], first[name], rtol=1e-5, atol=3e-5, err_msg=name)
    np.testing.assert_allclose(first["predict"], first["translations"][0], atol=1e-5)
    assert first["cropped"].shape == (13, 10, 3)


@pytest.mark.parametrize(("saved", "opened"), PAIRS)
def test_files_of_one_backend_open_on_another(trained, saved, opened):
    before = read(trained / saved / "trained.npz")
    after = read(trained / saved / f"loaded-by-{opened}.npz")
    for name in ("history", "evaluate", "predict", "cropped"):
        del before[name]
    translations = before.pop("translations")
    for name in ("preset", "translations"):
        np.testing.assert_allclose(after[name], translations, atol=1e-5, err_msg=name)
    for name, value in before.items():  # the moments, the pools and their seeds too
        np.testing.assert_array_equal(after[name], value, err_msg=name)
        np.testing.assert_array_equal(after[f"weights {name}"], value, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_all_that_needs_no_tensorflow_works_where_there_is_none(trained, backend):
    """Training, files and answers, which the tests above compare, and data of both kinds."""
    found = json.loads((trained / backend / "alone.json").read_text())
    assert found["steps"] == [1, 6, 2]
    assert found["position"] == 12
    train, _ = load("glyphs", 16, batch_size=2, seed=5, steps_per_epoch=3)  # by tf.data
    bytes_ = b"".join(images.numpy().tobytes() for batch in train for images in batch)
    assert found["checksum"] == zlib.crc32(bytes_)
    assert "KERAS_BACKEND=tensorflow" in found["export"]
    assert not found["imported"]
