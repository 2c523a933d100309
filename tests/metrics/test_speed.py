"""The command that runs all benchmarks of speed; each of them is started, none is waited for."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def speed():
    spec = importlib.util.spec_from_file_location("speed", BENCHMARKS / "speed.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_a_table_is_printed_and_kept_also_of_one_that_fails(speed, tmp_path, capfd, monkeypatch):
    script = tmp_path / "half.py"
    script.write_text("print('| half |', flush=True)\nraise SystemExit(3)\n")
    monkeypatch.setattr(speed, "COMMANDS", {"half": [str(script)]})
    monkeypatch.setattr(sys, "argv", ["speed.py", str(tmp_path / "tables")])
    assert speed.main() == "Not measured to the end: half."
    assert (tmp_path / "tables" / "half.md").read_text().endswith("half.py`\n\n| half |\n")
    assert "| half |" in capfd.readouterr().out


def test_each_command_has_the_options_that_it_is_given(speed):
    for name, (script, *options) in speed.COMMANDS.items():
        text = (BENCHMARKS / script).read_text()
        for option in options + speed.WHOLE[name]:
            if option.startswith("--"):
                assert f'"{option}"' in text, (script, option)
    assert subprocess.run([sys.executable, BENCHMARKS / "speed.py"], capture_output=True).returncode
