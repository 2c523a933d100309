"""Files and folders under kills at every line, failures at every line, and other processes."""

import errno
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import stops

from keras_cyclegan.files import atomic
from keras_cyclegan.files.atomic import atomic_file, recover, remove_abandoned

# A writer that doesn't import the package, and so starts in no time. It is killed before the n-th
# line of the module that runs.
KILLED = """
import importlib.util, json, os, signal, sys
from pathlib import Path
source, stops, place, n, kind = json.loads(sys.argv[1])

def load(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

atomic, stops = load(source), load(stops)
moving = ["atomic_file", "_replace"]
with stops.stop_at(n, [source], lambda: os.kill(os.getpid(), signal.SIGKILL), moving):
    if kind == "file":
        with atomic.atomic_file(place) as unfinished:
            unfinished.write_text("new")
    else:
        with atomic.atomic_file(place) as unfinished:
            (unfinished / "deep").mkdir(parents=True)
            for name in "ab":
                (unfinished / "deep" / name).write_text("new")
print("done")
"""


def write_and_kill(place, n, kind):
    """Whether the writer came to its end before its n-th line."""
    arguments = [atomic.__file__, stops.__file__, str(place), n, kind]
    command = [sys.executable, "-S", "-E", "-c", KILLED, json.dumps(arguments)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode in (0, -9), ran.stderr
    return ran.stdout == "done\n"


def content(place):
    if place.is_file():
        return place.read_text()
    texts = [file.read_text() for file in sorted(place.rglob("*")) if file.is_file()]
    return texts[0] if len(texts) == 2 and texts[0] == texts[1] else f"torn: {texts}"


def make_old(place, kind):
    if kind == "file":
        place.write_text("old")
    else:
        (place / "deep").mkdir(parents=True)
        for name in "ab":
            (place / "deep" / name).write_text("old")


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "again"])
def test_a_kill_at_any_line_leaves_the_old_or_the_new(tmp_path, kind, first):
    seen = set()
    for n in itertools.count():
        folder = tmp_path / str(n)
        folder.mkdir()
        place = folder / "place.x"
        if not first:
            make_old(place, kind)
        ended = write_and_kill(place, n, kind)
        recover(place, patience=0.01)
        found = content(place) if place.exists() else "nothing"
        assert found in ("new", "nothing" if first else "old"), f"killed at line {n}"
        assert all(file.name == "place.x" or file.name[0] == "." for file in folder.iterdir())
        remove_abandoned(folder)
        assert {file.name for file in folder.iterdir()} <= {"place.x", ".replaced-place.x"}
        assert (content(place) if place.exists() else "nothing") == found
        seen.add(found)
        if ended:
            break
    assert seen == {"new", "nothing" if first else "old"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_at_any_line_leaves_the_old_or_the_new(tmp_path, kind):
    def fail():
        raise OSError(errno.EIO, "Input/output error")

    for n in itertools.count():
        folder = tmp_path / str(n)
        folder.mkdir()
        place = folder / "place.x"
        make_old(place, kind)
        try:
            with stops.stop_at(n, [atomic.__file__], fail) as stopped:
                if kind == "file":
                    with atomic_file(place) as unfinished:
                        unfinished.write_text("new")
                else:
                    with atomic_file(place) as unfinished:
                        (unfinished / "deep").mkdir(parents=True)
                        for name in "ab":
                            (unfinished / "deep" / name).write_text("new")
        except OSError:
            if not stopped:
                raise
        if not place.exists():  # both renamings failed: nothing is lost
            (aside,) = folder.glob(f"{atomic.REPLACED}*")
            assert content(aside) == "old"
            continue
        assert content(place) in ("old", "new"), f"failed at {stopped}"
        if not stopped:
            break
    assert n > 15
    assert content(place) == "new"
    assert [file.name for file in folder.iterdir()] == ["place.x"]


def leftover(folder, host=None, pid=None, kind=".unfinished"):
    pid = os.getpid() if pid is None else pid
    path = folder / f"{kind}-{pid}-{host or platform.node()}-abc"
    path.mkdir()
    (path / "file").touch()
    return path


def replaced(path):
    aside = path.with_name(f"{atomic.REPLACED}{path.name}")
    aside.mkdir()
    (aside / "file").touch()
    return aside


def test_only_files_of_dead_writers_are_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    mine = leftover(tmp_path)
    others = leftover(tmp_path, host="0123abcd", pid=ended.pid)
    ancient = leftover(tmp_path, host="4567abcd", pid=ended.pid)
    os.utime(ancient, (time.time() - 8 * 24 * 3600,) * 2)
    dead = leftover(tmp_path, pid=ended.pid)
    unrelated = leftover(tmp_path, pid=ended.pid, kind=".mine")
    remove_abandoned(tmp_path)
    assert [path.exists() for path in (mine, others, unrelated)] == [True] * 3
    assert not any(path.exists() for path in (ancient, dead))


def test_a_writer_that_lives_is_left_alone_and_one_that_died_is_cleaned_up_after(tmp_path):
    code = """
import runpy, sys, time
with runpy.run_path(sys.argv[1])["atomic_file"](sys.argv[2]) as unfinished:
    unfinished.mkdir()
    print("writing", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-S", "-c", code, atomic.__file__, str(tmp_path / "place")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "writing\n"
            remove_abandoned(tmp_path)
            assert len(list(tmp_path.glob(".unfinished-*"))) == 1
        finally:
            process.kill()
    atomic._remove_abandoned_once.cache_clear()
    with atomic_file(tmp_path / "other") as unfinished:
        unfinished.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_was_moved_away_comes_back_only_if_its_place_is_free(tmp_path):
    away = replaced(tmp_path / "my-place-x")
    recover(tmp_path / "my-place-x", patience=0.1)
    assert (tmp_path / "my-place-x" / "file").exists()
    assert not away.exists()
    away = replaced(tmp_path / "my-place-x")
    recover(tmp_path / "my-place-x", patience=0.1)
    assert away.exists()
    with atomic_file(tmp_path / "my-place-x") as unfinished:
        unfinished.mkdir()
    assert os.listdir(tmp_path) == ["my-place-x"]


@pytest.mark.parametrize("length", [200, 251])
def test_long_names_and_endings_are_kept(tmp_path, length):
    name = "n" * length + ".png"
    with atomic_file(tmp_path / name) as unfinished:
        assert unfinished.name == name
        unfinished.touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_takes_the_place_of_a_file_and_the_other_way(tmp_path):
    place = tmp_path / "place"
    place.write_text("old")
    with atomic_file(place) as unfinished:
        make_old(unfinished, "folder")
    assert content(place) == "old"
    with atomic_file(place) as unfinished:
        unfinished.write_text("new")
    assert content(place) == "new"
    assert os.listdir(tmp_path) == ["place"]


def test_two_writers_of_one_place_do_not_meet(tmp_path):
    with atomic_file(tmp_path / "x") as first, atomic_file(tmp_path / "x") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "x").read_text() == "first"
    assert os.listdir(tmp_path) == ["x"]


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def synced(descriptor):
        calls.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("named") or replace(*paths))
    monkeypatch.setattr(os, "rename", lambda *paths: calls.append("renamed") or rename(*paths))
    folder = tmp_path.name
    for named in (["named", folder], ["renamed", "renamed", folder, "renamed", folder]):
        calls.clear()
        with atomic_file(tmp_path / "place") as unfinished:
            make_old(unfinished, "folder")
        assert sorted(calls[:4]) == ["a", "b", "deep", "place"]
        assert calls[4:] == named


def test_a_reader_waits_for_the_moment_between_two_renamings(tmp_path):
    away = replaced(tmp_path / "place")
    timer = threading.Timer(0.2, away.rename, [tmp_path / "place"])
    timer.start()
    recover(tmp_path / "place")
    assert (tmp_path / "place" / "file").exists()
    timer.join()
    begun = time.monotonic()
    recover(tmp_path / "nothing", patience=60)
    assert time.monotonic() - begun < 10
