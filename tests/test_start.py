"""How long the command line takes to answer, and what an import of the package does."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import keras_cyclegan
from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.networks import ResNetGenerator

HEAVY = {"keras", "tensorflow", "jax", "torch", "numpy", "PIL", "h5py", "gradio", "matplotlib"}


def python(script, *arguments):
    """What a fresh Python prints that runs `script`."""
    paths = os.pathsep.join([os.getcwd(), *sys.path])
    finished = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


# --- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["recipes"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    script = """
import sys
from keras_cyclegan.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended
print("imported", *{name.partition(".")[0] for name in sys.modules})
"""
    printed = python(script, *arguments)
    assert len(printed.splitlines()) > 1
    assert not HEAVY & set(printed.splitlines()[-1].split())


def test_every_command_has_help_without_empty_lines_or_lost_brackets():
    shown = CliRunner().invoke(app, ["--help"]).output
    commands = re.findall(r"^  ([a-z]+)  ", shown, flags=re.MULTILINE)
    assert {"train", "quickstart", "translate", "evaluate", "demo", "recipes"} <= set(commands)
    for command in commands:
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0
    evaluate = CliRunner().invoke(app, ["evaluate", "--help"]).output
    assert "[[r, g, b], …]" in " ".join(evaluate.split())


def test_version_is_written_in_one_place():
    assert CliRunner().invoke(app, ["--version"]).output == f"{keras_cyclegan.__version__}\n"
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "keras_cyclegan/__init__.py"


# --- import --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    generator = ResNetGenerator((32, 32, 3), filters=4, num_blocks=0)
    CycleGAN(generator, None, None, None, image_shape=(32, 32, 3)).save(path)
    return path


@pytest.mark.parametrize(
    "imports",
    [
        "import keras_cyclegan, keras",
        "import keras, keras_cyclegan",
        # What the classes need is what imports Keras here, and is unfinished when it is there.
        "from keras_cyclegan.cyclegan import CycleGAN; import keras",
    ],
)
def test_model_is_loaded_whatever_was_imported_first(saved, imports):
    script = f"""
import sys
{imports}
model = keras.saving.load_model(sys.argv[1])
import keras_cyclegan
print(keras_cyclegan.CycleGAN is type(model))
"""
    assert python(script, saved) == "True\n"


def test_public_names_are_there_to_see_and_to_use():
    assert set(keras_cyclegan.__all__) <= set(dir(keras_cyclegan))
    for name in keras_cyclegan.__all__:
        assert getattr(keras_cyclegan, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Cyclegan'"):
        _ = keras_cyclegan.Cyclegan


def test_type_checkers_see_what_can_be_imported():
    text = Path(keras_cyclegan.__file__).read_text()
    explicit = set(re.findall(r"^    from \S+ import (\w+) as \1$", text, flags=re.MULTILINE))
    assert explicit == set(keras_cyclegan.__all__)
