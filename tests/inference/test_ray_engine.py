"""The Ray engine on a local cluster of two workers, beside the local engine."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.inference.ray_engine import run_on_ray
from keras_cyclegan.inference.slides import translate_slide

NICENESS = "RAY_worker_niceness"
needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="finds workers by /proc")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("ray", reason="ray is absent: pip install keras-cyclegan[ray]")
    from keras_cyclegan.inference.ray_engine import import_ray

    mark = str(tmp_path_factory.mktemp("mark"))
    os.environ["KERAS_CYCLEGAN_TEST_CLUSTER"] = mark  # which the workers inherit
    os.environ[NICENESS] = "0"  # Ray's own, 15, would leave the processor to the other tests
    ray = import_ray()
    ray.init(
        num_cpus=2, object_store_memory=100 * 2**20, include_dashboard=False, log_to_driver=False
    )
    yield mark
    ray.shutdown()
    del os.environ["KERAS_CYCLEGAN_TEST_CLUSTER"], os.environ[NICENESS]


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(14):
        path = tmp_path / "in" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (256, 257 + i % 4, 3), "uint8")).save(path)
    (tmp_path / "in/a/no image.png").write_bytes(b"no image")
    return tmp_path / "in"


def translate(*arguments):
    command = ["translate", "--preset", "glyphs", *map(str, arguments)]
    return CliRunner().invoke(app, command)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in written(folder)}


def written(folder):
    found = [path for path in folder.rglob("*") if "/." not in str(path.relative_to(folder.parent))]
    return [path for path in found if path.is_file()]


def workers_of(mark):
    """The processes of this cluster that hold a model."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title, environment = (
                (process / "cmdline").read_bytes(),
                (process / "environ").read_bytes(),
            )
        except OSError:
            continue  # ended, or another user's
        if b"ray::run_task" in title and mark.encode() in environment:
            yield int(process.name)


@needs_proc
def test_killed_workers_lose_nothing_and_repeat_nothing(cluster, images, tmp_path):
    killed, kept = [], {}

    def kill():
        while not written(tmp_path / "ray"):
            time.sleep(0.01)
        finished = written(tmp_path / "ray")
        time.sleep(0.2)
        kept.update({path: path.stat().st_ino for path in finished})
        for process in workers_of(cluster):
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    (tmp_path / "ray").mkdir()
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = translate("--engine", "ray", images, tmp_path / "ray")
    killer.join(10)
    assert killed  # on a busy machine the other one may still be importing
    assert 0 < len(kept) < 14
    expected = translate(images, tmp_path / "local")

    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert len(contents(tmp_path / "ray")) == 14
    assert {path: path.stat().st_ino for path in kept} == kept  # a rewritten file has a new one
    assert not list((tmp_path / "ray").rglob(".unfinished*"))
    assert result.exit_code == expected.exit_code == 1
    for line in (f"{images}/a/no image.png: Can't read", "14 of 15 images are at"):
        assert line in result.output
        assert line in expected.output


def test_a_task_that_kills_its_workers_is_given_up_and_the_others_are_finished(cluster):
    class Fragile:
        def run(self, task):
            return os._exit(1) if task == "deadly" else task

    tasks = ["a", "deadly", "b", "c"]
    results = dict(run_on_ray(Fragile, (), tasks, workers=3))  # one more than processors
    assert "worker died 3 times" in results.pop(1)
    assert results == {0: "a", 2: "b", 3: "c"}


def test_blocks_of_a_slide_are_translated_by_workers(cluster, tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="pip install keras-cyclegan[slides]")
    pixels = np.random.default_rng(0).integers(0, 256, (300, 2100, 3), "uint8")
    options = {"tile": (256, 256), "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    frozen = CycleGAN.from_preset("glyphs").freeze_statistics(pixels[:256, :256])
    found = []
    for engine in ("local", "ray"):
        target = tmp_path / f"{engine}.tif"
        steps = translate_slide(frozen, tmp_path / "a.tif", target, engine=engine)
        assert list(steps) == [(0, 2), (1, 2), (2, 2)]
        found.append(tifffile.imread(target))
    np.testing.assert_array_equal(*found)


def test_missing_ray_says_what_to_install(monkeypatch, images, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = translate("--engine", "ray", images, tmp_path / "out")
    assert result.exit_code == 1
    assert "pip install 'keras-cyclegan[ray]'" in result.output
    assert "pip install '.[ray]'" in result.output


def test_workers_of_the_local_engine_are_refused(images, tmp_path):
    result = translate("--workers", 2, images, tmp_path / "out")
    assert result.exit_code == 1
    assert "--engine ray" in result.output
