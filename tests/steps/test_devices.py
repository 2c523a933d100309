"""Several devices, or machines, that share a batch give the results of one device."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import jax_compiler
from typer.testing import CliRunner

from keras_cyclegan.cli import app
from keras_cyclegan.steps import distribution
from keras_cyclegan.training.history import read_history

WORKER = Path(__file__).parents[1] / "support" / "backend_worker.py"
BACKENDS = [b for b in ("tensorflow", "jax") if importlib.util.find_spec(b)]
needs_jax = pytest.mark.skipif("jax" not in BACKENDS, reason="no jax here to train with")
SEVERAL = [
    ("tensorflow", "devices", 2),
    pytest.param("jax", "devices", 2, marks=[needs_jax, pytest.mark.slow]),  # as machines, below
    *(pytest.param(backend, "devices", 4, marks=pytest.mark.slow) for backend in BACKENDS),
    pytest.param("jax", "machines", 2, marks=needs_jax),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function that trains once in each way that it is asked for, and returns the folder.

    The first on a backend trains on one device too, for which there need be no other process.
    """
    root = tmp_path_factory.mktemp("devices")

    def train(backend, over=None, count=2):
        folder, alone = root / f"{backend}-{over}-{count}", root / f"{backend}-alone"
        if over is None:
            return alone
        if not (folder / "state.npz").exists():
            more = {} if alone.exists() else {"ALONE": alone.name}
            status = 143 if over == "machines" else 0  # one of them is asked to end on the way
            assert set(run(folder, backend, over, count, **more)) == {status}
        return folder

    return train


def run(folder, *arguments, **environment):
    """The exit statuses of `start`'s processes, which all have come to their ends."""
    processes = start(folder.parent, folder.name, *arguments, **environment)
    try:
        statuses = [process.wait(timeout=380) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for log in sorted(folder.parent.glob(f"{folder.name}.*.log")):
        print(log.read_text()[-3000:])
    return statuses


def start(root, name, backend, over, count, **environment):
    """One process with `count` devices, or `count` processes that meet at a port."""
    machines = count if over == "machines" else 1
    environment = {
        **meeting(machines),
        **environment,
        "KERAS_BACKEND": backend,
        "NAME": name,
        "DEVICES": str(count // machines),
        **jax_compiler.environment(
            backend, f"--xla_force_host_platform_device_count={count // machines}"
        ),
        "OVER": over,
    }
    return [
        subprocess.Popen(
            [sys.executable, WORKER, "devices", root],
            env={**environment, "KERAS_DISTRIBUTION_PROCESS_ID": str(i)},
            stderr=(root / f"{name}.{i}.log").open("w"),
        )
        for i in range(machines)
    ]


def meeting(count):
    """The environment in which so many processes find each other."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    return {
        **os.environ,
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"localhost:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
    }


def assert_close(one, several):
    assert one.keys() == several.keys()
    for name in one:
        np.testing.assert_allclose(several[name], one[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("backend", "over", "count"), SEVERAL)
def test_several_devices_train_as_one(trained, backend, over, count):
    """With plain SGD, which would show a gradient that is a multiple of the right one."""
    one, several = trained(backend), trained(backend, over, count)
    states = [dict(np.load(folder / "state.npz")) for folder in (one, several)]
    assert states[0]["moved"] > 1e-4, "too little to tell a wrong gradient from the right one"
    assert_close(*states)  # weights, optimizers, the pools' images, counts and seeds
    histories = [read_history(folder / "history.jsonl") for folder in (one, several)]
    assert len(histories[0]) == 2
    for first, second in zip(*histories, strict=True):
        for row in (first, second):
            assert row.pop("seconds") > 0
            assert row.pop("processor_seconds") > 0
        assert_close(first, second)
    if over == "devices":
        assert_close(*(dict(np.load(folder / "evaluate.npz")) for folder in (one, several)))


@pytest.mark.parametrize(("backend", "over", "count"), SEVERAL)
def test_pools_of_several_devices_are_one_history(trained, backend, over, count):
    with np.load(trained(backend, over, count) / "state.npz") as several:
        assert several["pool_a 1"] == 3  # full
        assert several["pool_a 2"][1] == 6  # turns: one a step, not one a device
        assert np.abs(np.diff(several["pool_a 0"], axis=0)).max() > 0.1  # different images


@pytest.mark.parametrize(("backend", "over", "count"), SEVERAL)
def test_several_devices_write_the_files_that_one_writes(trained, backend, over, count):
    one, several = (
        {str(path.relative_to(folder)) for path in folder.rglob("*")}
        for folder in (trained(backend), trained(backend, over, count))
    )
    assert several - {"evaluate.npz"} == one - {"evaluate.npz"}
    assert {"checkpoints/step-000000006.npz", "samples/epoch-0002.png"} <= several


@pytest.mark.parametrize(
    ("backend", "over", "message"),
    [
        ("torch", "devices", "several devices runs on the backend jax or tensorflow"),
        ("torch", "machines", "several machines runs on the backend jax;"),
        ("tensorflow", "machines", "several machines runs on the backend jax;"),
    ],
)
def test_a_backend_without_distribution_names_those_with_it(monkeypatch, backend, over, message):
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    with pytest.raises(ValueError, match=message), distribution.distributed(over, 4):
        pass


def test_command_line_hands_over(monkeypatch, tmp_path):
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    command = ["train", "glyphs", "--out", str(tmp_path / "run"), "--distribute", "devices"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "jax or tensorflow" in result.output
    assert not (tmp_path / "run").exists()


REFUSED = """
from keras_cyclegan.steps.distribution import distributed
for over in ("machines", "devices"):
    try:
        distributed(over, 3).__enter__()
    except (RuntimeError, ValueError) as error:
        print(over, error)
"""


@needs_jax
def test_batches_that_devices_can_not_share_are_refused():
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    result = subprocess.run(
        [sys.executable, "-c", REFUSED], env=environment, capture_output=True, text=True
    )
    machines, devices = result.stdout.split("\ndevices ")
    assert "KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT" in machines
    assert "must be a multiple of 2. Received batch_size=3" in devices
