"""The files of `examples/`, as modules of this process or as commands."""

import importlib.util
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    """Load `examples/{name}.py` as a module."""
    path = EXAMPLES / f"{name}.py"
    name = f"example_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
