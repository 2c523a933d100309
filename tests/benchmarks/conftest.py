"""Benchmarks as modules, for the tests of what they compute."""

import importlib.util
import pathlib
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Loads a benchmark by its name; they import each other as neighbours."""
    known = set(sys.modules)

    def load(name):
        path = BENCHMARKS / f"{name}.py"
        monkeypatch.syspath_prepend(str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    yield load
    for name in set(sys.modules) - known:
        if BENCHMARKS in pathlib.Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
            del sys.modules[name]
