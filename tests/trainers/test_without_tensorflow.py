"""On a machine that has JAX or torch, and no TensorFlow."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.jax_compiler import compiler_flags

SCRIPT = """
    import importlib.machinery
    import sys

    find_spec = importlib.machinery.PathFinder.find_spec

    def find_others(name, path=None, target=None):
        if name.partition(".")[0] not in ("tensorflow", "tensorflow_datasets"):
            return find_spec(name, path, target)

    importlib.machinery.PathFinder.find_spec = find_others

    import keras
    import numpy as np
    from backend_worker import images, make_model

    import keras_cyclegan as kcg
    import keras_cyclegan.commands.cli

    class Pairs(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return a[index : index + 1], b[index : index + 1]

    a, b = images()
    model, folder = make_model(), sys.argv[1]
    # Eager, JAX compiles each operation by itself.
    model.compile(run_eagerly=keras.backend.backend() == "torch")
    model.fit(Pairs(), verbose=0)
    model.fit(a[:1], b[:1], verbose=0)
    assert int(model.optimizer.iterations) == 2
    model.save(f"{folder}/model.keras")
    model.save_to_preset(f"{folder}/preset")
    expected = model.translate(a[0])
    for copy in (
        keras.saving.load_model(f"{folder}/model.keras"),
        kcg.CycleGAN.from_preset(f"{folder}/preset"),
    ):
        np.testing.assert_allclose(copy.translate(a[0]), expected, atol=1e-6)
    for refused, message in (
        (lambda: kcg.data.load("glyphs"), "keras.utils.PyDataset"),
        (lambda: model.export(f"{folder}/served"), "KERAS_BACKEND=tensorflow"),
    ):
        try:
            refused()
        except (ImportError, RuntimeError) as error:
            assert message in str(error), error
        else:
            raise AssertionError(f"no error that says {message}")
    assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("backend", [b for b in ("jax", "torch") if importlib.util.find_spec(b)])
def test_trains_saves_and_translates_without_tensorflow(backend, tmp_path):
    flags = {"XLA_FLAGS": compiler_flags()} if backend == "jax" else {}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), tmp_path],
        env={**os.environ, "KERAS_BACKEND": backend, **flags},
        cwd=Path(__file__).parents[1] / "support",
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
