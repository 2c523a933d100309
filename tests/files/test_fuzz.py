import os
import pathlib

import pytest
from fuzz import campaign


def test_2000_mutated_files_break_no_promise(tmp_path):
    counts, failures = campaign.run(tmp_path, seed=0, inputs=2000)
    assert not failures, "\n".join(failures[:5])
    assert sum(map(sum, counts.values())) == 2000
    for name, (accepted, refused) in counts.items():
        assert accepted, f"every input of {name} is refused: nothing behind the checks is reached"
        assert refused > accepted / 10, name


def raise_key_error():
    raise KeyError("x")


def say_much():
    raise ValueError("x" * 3000)


def fill_memory():
    bytearray(10**9)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (raise_key_error, "KeyError"),
        (say_much, "3000 characters"),
        (fill_memory, "MemoryError"),
        (lambda: os.system("true"), "os.system"),
        (lambda: pathlib.Path("outside").write_text("x"), "opened to be written"),
    ],
    ids=["other error", "long message", "memory", "code", "outside"],
)
def test_a_broken_promise_is_noticed(tmp_path, monkeypatch, read, said):
    class Broken:
        memory = 500 * 2**20

        def __init__(self, folder):
            self.read = read

        def make(self, numbers):
            pass

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(campaign.TARGETS, "broken", (Broken, 1))
    _, failures = campaign.run(tmp_path / "work", inputs=1, names=("broken",))
    assert len(failures) == 1
    assert said in failures[0]


def test_an_input_is_the_same_whenever_it_is_made(tmp_path):
    made = []
    for i, first in enumerate((0, 7)):
        folder = tmp_path / str(i)
        folder.mkdir()
        campaign.run(folder, first=first, inputs=9 - first, names=("checkpoints",))
        made.append((folder / "checkpoint.pth").read_bytes())
    assert made[0] == made[1]
