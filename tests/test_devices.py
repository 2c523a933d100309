"""Several devices with one batch between them equal one device with that batch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = [b for b in ("tensorflow", "jax") if importlib.util.find_spec(b)]
WORKER = Path(__file__).with_name("backend_worker.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


def trained(folder, *counts):
    """The folder, with what each backend made on so many virtual devices of this machine."""
    for count in counts:
        if (folder / f"{BACKENDS[-1]}-{count}.npz").exists():
            continue
        environment = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
        environment = {**os.environ, **environment, "DEVICES": str(count)}
        processes = [
            subprocess.Popen(
                [sys.executable, WORKER, "devices", folder],
                env={**environment, "KERAS_BACKEND": backend},
                stderr=subprocess.PIPE,
                text=True,
            )
            for backend in BACKENDS
        ]
        for process in processes:
            _, errors = process.communicate()
            assert process.returncode == 0, errors[-3000:]
    return folder


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_devices_train_as_one(folder, backend, count):
    """With plain SGD, which would show a gradient that is a multiple of the right one."""
    one, several = (np.load(trained(folder, 1, count) / f"{backend}-{n}.npz") for n in (1, count))
    assert set(one.files) == set(several.files)
    assert one["moved"] > 1e-4, "too little to tell a wrong gradient from the right one"
    for name in one.files:  # losses, weights, optimizers, the pools' images, counts and seeds
        atol = 1e-6 if name.startswith(("generator", "discriminator")) else 1e-5
        np.testing.assert_allclose(several[name], one[name], rtol=1e-5, atol=atol, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_pools_of_several_devices_are_one_history(folder, backend):
    with np.load(trained(folder, 2) / f"{backend}-2.npz") as several:
        assert several["pool_a 1"] == 3  # full
        assert several["pool_a 2"][1] == 5  # turns: one a step, not one a device
        assert np.abs(np.diff(several["pool_a 0"], axis=0)).max() > 0.1  # different images
