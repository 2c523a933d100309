"""Imports run downwards only: a subpackage imports those below it, and there is no circle."""

import ast
import re
from pathlib import Path

import pytest

import keras_cyclegan

PACKAGE = Path(keras_cyclegan.__file__).parent
# From the bottom up. Subpackages on one line don't import each other.
LAYERS = [
    {"files", "arguments", "processor", "quiet", "moments", "recipes"},
    {"layers", "optimizers", "data"},
    {"networks", "passes"},
    {"inference"},
    {"terms", "export", "presets"},
    {"losses"},
    {"steps"},
    {"compile"},
    {"cyclegan"},
    {"scores"},
    {"metrics", "evaluation"},
    {"training", "check"},
    {"callbacks", "resume"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
HEIGHTS = {name: height for height, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public(name):
    """Where a public name of the package comes from."""
    value = getattr(keras_cyclegan, name.rpartition(".")[2])
    return f"{value.__module__}.{value.__name__}"


def imports(path, everywhere=True):
    """Modules of the package that a file imports: anywhere in it, or only as it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    known = {module_name(other) for other in MODULES}
    public_names = {f"keras_cyclegan.{name}" for name in keras_cyclegan.__all__} - known
    for node in ast.walk(tree):
        if not everywhere and node in lazy:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [public(name) if name in public_names else name for name in names]
            names = [name if name in known else name.rpartition(".")[0] for name in names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "keras_cyclegan")


def subpackage(name):
    return name.split(".")[1] if "." in name else None


def test_every_subpackage_has_its_place():
    found = {subpackage(module_name(path)) for path in MODULES} - {None}
    assert found == set(HEIGHTS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    own = subpackage(module_name(path))
    if own is None:
        return  # the public names of all subpackages
    for name in imports(path):
        other = subpackage(name)
        if other is None or other == own:
            continue
        assert HEIGHTS[other] < HEIGHTS[own], f"{own} imports {name}, which isn't below it"


def test_no_circle_closes_between_files():
    graph = {module_name(path): set(imports(path, everywhere=False)) for path in MODULES}
    done = set()

    def visit(name, trail):
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in graph.get(name, ()):
                if other not in ("keras_cyclegan", name):
                    visit(other, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_private_paths_of_keras_are_not_imported():
    for path in MODULES:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        private = [x for x in lines if re.match(r"(from|import) keras(_cv)?\.src\b", x)]
        assert not private, path
