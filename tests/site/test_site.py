"""What the site says of the code is what the code is."""

import importlib
import inspect
import re
import sys
import tomllib

import pytest
from support.blocks import ALL, PAGES, ROOT
from typer.testing import CliRunner

from keras_cyclegan import list_presets
from keras_cyclegan.cli import app

sys.path.insert(0, str(ROOT / "docs"))
import docstrings
import generated


def test_readme_names_every_preset_and_has_the_rows_of_those_that_ship():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, row in zip(list_presets(), generated.preset_table().splitlines()[2:], strict=True):
        assert f"`{name}`" in readme
        assert row in readme or "download" in row, row


def test_every_public_name_is_on_a_page_of_the_reference():
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    modules = set(re.findall(r"automodule:: (\S+)", pages))
    single = set(re.findall(r"auto(?:class|function|exception):: (\S+)", pages))
    left_out = set(
        re.findall(r"[A-Za-z]\w+", " ".join(re.findall(r":exclude-members: (.*)", pages)))
    )
    there = {id(_find(name)) for name in single}
    for module in modules:
        names = getattr(importlib.import_module(module), "__all__", ())
        there |= {id(_find(f"{module}.{name}")) for name in names if name not in left_out}
    resuming = importlib.import_module("keras_cyclegan.resume")
    there |= {id(getattr(resuming, name)) for name in ("StopAtDivergence", "TrainingState")}
    for name in generated.public_names():
        value = _find(name)
        assert inspect.ismodule(value) or id(value) in there, name


def _find(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


@pytest.fixture(scope="module")
def known_options():
    names = [one.name or one.callback.__name__ for one in app.registered_commands]
    helps = [
        CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output for name in names
    ]
    scripts = [*ROOT.glob("examples/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    helps += re.findall(r"add_argument\(\s*\"(--[a-z-]+)", "".join(p.read_text() for p in scripts))
    return set(re.findall(r"--[a-z][a-z0-9-]*", "\n".join(helps))) | {"--version"}


OTHERS = {"--extras", "--no-deps", "--write"}  # of pip and of our scripts


@pytest.mark.parametrize("page", sorted(ALL))
def test_options_that_a_page_names_exist(page, known_options):
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)  # parsed elsewhere
    if page.endswith("junyanz.md"):  # the first column is theirs, and so is what has underscores
        text = re.sub(r"^\| [^|]* \|", "", text, flags=re.MULTILINE)
    code = " ".join(re.findall(r"`([^`]+)`", text))
    unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code)) - known_options - OTHERS
    assert not unknown


def test_the_list_for_tensorflow_cpu_is_the_base_install_without_tensorflow():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    block = page[page.index("pip install --no-deps .") :].split("```")[0]
    listed = set(re.findall(r'"([^"]+)"', block))
    assert listed == {x for x in project["dependencies"] if not x.startswith("tensorflow>")}


def test_docstrings_become_the_other_markup():
    text = """A `Thing` for |x|, see `a(b)`.

        y = |x|

    Args:
        one: one of
            - `"l1"`;
            - `Thing`s.

    | a | b |
    |---|---|
    | `c d` | e |

    Example:

    ```python
    x = `1`
    ```
    """
    lines = docstrings.as_rst(inspect.cleandoc(text).split("\n"))
    found = "\n".join(lines)
    assert "A :py:obj:`Thing` for \\|x\\|, see ``a(b)``." in found
    assert "::\n\n    y = |x|" in found
    assert 'one of\n\n        - ``"l1"``;\n        - :py:obj:`Thing`\\ s.' in found
    assert "   * - a\n     - b\n   * - ``c d``\n     - e" in found
    assert ".. code-block:: python\n\n   x = `1`" in found


def test_pages_link_to_pages_that_exist():
    for page in PAGES:
        for target in re.findall(
            r"\]\(([^)#\s]+?\.(?:md|png|html))(?:#[^)]*)?\)", page.read_text()
        ):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
