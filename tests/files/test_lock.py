"""One process at a time holds a lock, and the others learn which one."""

import os
from pathlib import Path

import pytest

from keras_cyclegan.files.lock import InUse, hold


def test_a_lock_in_use_names_its_holder_until_it_is_free(tmp_path):
    path = tmp_path / "lock"
    said = f"in use by process {os.getpid()} on"
    with hold(path), pytest.raises(InUse, match=said), hold(path):
        pass
    with hold(path):
        pass
    assert not path.with_name("lock.holder").exists()


def test_a_note_that_cannot_be_written_does_not_keep_a_lock_from_being_held(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    path = tmp_path / "lock"
    with hold(path), pytest.raises(InUse, match="another process"), hold(path):
        pass
