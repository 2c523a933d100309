"""What all tests share."""

import gc
import os
import shutil
import tempfile

import pytest
from support.jax_compiler import compiler_flags

CACHE = "JAX_COMPILATION_CACHE_DIR"
# One thread a process: as many run at once as there are cores, and would wait for each other.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
# The dearest first: a worker takes a file at a time, and none should begin one of these at the end.
# Before export, resume: a SIGTERM ends a process in which ONNX, LiteRT and OpenVINO have exported.
FIRST = (
    *("test_ray_engine.py", "test_devices.py", "test_backends.py", "test_training_state.py"),
    *("test_export.py", "test_demo.py", "test_blocks.py", "test_killed_runs.py"),
    *("test_quickstart.py", "test_objective.py", "test_torch_parity.py", "test_networks.py"),
)


# What is imported stays: to look through it for garbage takes a twentieth of the time.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_configure(config):
    """Let all processes of a run share what JAX compiles: a step takes it up to half a minute."""
    if hasattr(config, "workerinput"):
        for name in THREADS:
            os.environ.setdefault(name, "1")
    if CACHE not in os.environ and not hasattr(config, "workerinput"):
        config.jax_cache = tempfile.mkdtemp(prefix="jax-cache-")
        os.environ[CACHE] = config.jax_cache
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        # Each step is compiled for a few images only.
        os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        if os.environ.get("KERAS_BACKEND") == "jax":
            os.environ["XLA_FLAGS"] = compiler_flags()


def pytest_unconfigure(config):
    if cache := getattr(config, "jax_cache", None):
        shutil.rmtree(cache, ignore_errors=True)


def pytest_ignore_collect(collection_path, config):
    """Under `-m backend`, import no file whose tests would all be left out."""
    if config.option.markexpr.startswith("backend") and collection_path.suffix == ".py":
        return "mark.backend" not in collection_path.read_text() or None


def pytest_collection_modifyitems(items):
    names = [*FIRST, *{item.path.name: None for item in items}]
    items.sort(key=lambda item: names.index(item.path.name))


@pytest.fixture(autouse=True)
def seeded():
    """Draw the same initial weights in every run: what fails once fails again."""
    import keras

    keras.utils.set_random_seed(0)
