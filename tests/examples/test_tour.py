"""The notebook: its cells in this process, and as Jupyter runs it (slow)."""

import json
import os
import sys

import pytest
from support.examples import EXAMPLES

TOUR = EXAMPLES / "tour.ipynb"


def test_notebook_is_kept_without_outputs():
    cells = [cell for cell in json.loads(TOUR.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
def test_cells_of_the_notebook_run_one_after_the_other(tmp_path, monkeypatch, eager, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUR_STEPS", "3")
    names = {}
    for cell in json.loads(TOUR.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), TOUR.name, "exec"), names)
    assert names["translated"].shape == (16, 32, 32, 3)
    assert names["error"](names["letters_a"]) > names["error"](
        names["trained"].predict(names["letters_a"], verbose=0)
    )
    assert "untranslated" in capsys.readouterr().out


@pytest.mark.slow
def test_notebook_runs_in_jupyter_and_shows_pictures(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is absent: pip install .[test]")
    pytest.importorskip("ipykernel", reason="ipykernel is absent: pip install .[test]")
    import nbformat

    monkeypatch.setenv("TOUR_STEPS", "30")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES.parent), *sys.path]))
    book = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [one for cell in book.cells for one in cell.get("outputs", [])]
    pictures = [one for one in outputs if "image/png" in one.get("data", {})]
    assert len(pictures) == 4
    assert not [one for one in outputs if one.output_type == "error"]
