"""Parts of the site that are made of the code: tables of presets and recipes, help of commands."""

import inspect
import re
from pathlib import Path

from typer.testing import CliRunner

import keras_cyclegan
from keras_cyclegan.cli import app
from keras_cyclegan.presets.table import PUBLISHED
from keras_cyclegan.recipes import TABLES
from keras_cyclegan.training.option import as_flag

ROOT = Path(__file__).parents[1]


def preset_table():
    """The built-in presets as Markdown."""
    rows = ["| preset | A and B | trained at | weights |", "|---|---|---|---|"]
    for name, facts in keras_cyclegan.list_presets().items():
        what = facts["description"].rstrip(".")
        if published := PUBLISHED.get(name):
            arrow = "↔" if len(published["files"]) == 2 else "→"
            what = f"{published['a']} {arrow} {published['b']}"
        height, width = facts["native_size"]
        source = "in the package" if facts["ships"] else "download"
        size = f"{facts['bytes'] / 1e6:.0f} MB"
        rows.append(f"| `{name}` | {what} | {height}×{width} | {source}, {size} |")
    return "\n".join(rows)


def preset_licences():
    rows = ["| preset | its data | code and weights |", "|---|---|---|"]
    for name, facts in keras_cyclegan.list_presets().items():
        rows.append(f"| `{name}` | {facts['data_licence']} | {facts['code_licence']} |")
    return "\n".join(rows)


def recipe_table():
    rows = ["| recipe | options |", "|---|---|"]
    for name, options in TABLES.items():
        flags = " ".join(f"`{as_flag(*option)}`" for option in options.items())
        rows.append(f"| `{name}` | {flags} |")
    return "\n".join(rows)


def commands():
    """The help of every command, as it is printed."""
    runner = CliRunner()

    def help_of(*arguments):
        shown = runner.invoke(
            app, [*arguments, "--help"], env={"COLUMNS": "90"}, prog_name="keras-cyclegan"
        ).output.strip()
        return f"```text\n{shown}\n```\n"

    names = sorted(one.name or one.callback.__name__ for one in app.registered_commands)
    return "\n".join([help_of(), *(f"## {name}\n\n{help_of(name)}" for name in names)])


def examples():
    """The list of examples, whose files aren't on the site."""
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\[[^\]]+\]\((?!\w+:)([^)]+)\)", r"`examples/\1`", text)


def write(folder):
    folder.mkdir(exist_ok=True)
    for function in (preset_table, preset_licences, recipe_table, commands, examples):
        path = Path(folder) / f"{function.__name__}.md"
        text = function() + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public_names():
    """Every public name as it is written."""
    yield from (f"keras_cyclegan.{x}" for x in keras_cyclegan.__all__)
    for name in keras_cyclegan.__all__:
        module = getattr(keras_cyclegan, name)
        if inspect.ismodule(module) and name != "recipes":  # its tables are on a page of their own
            yield from (f"keras_cyclegan.{name}.{x}" for x in module.__all__)


if __name__ == "__main__":
    print(preset_table())
