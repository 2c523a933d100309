"""The oldest versions that pyproject.toml allows, as a constraints file for pip.

`python .ci/oldest.py > oldest.txt` turns `numpy>=1.26` into `numpy==1.26`. What has no lower bound
there stays free, and so does what only other packages require.
"""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def oldest(requirements):
    """Return a constraint for each requirement with a lower bound."""
    found = {}
    for one in requirements:
        if match := re.fullmatch(r"([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)(?:,.*)?", one.strip()):
            name, version = match.groups()
            found[name] = f"{name}=={version}"
    return sorted(found.values())


def main():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    sys.stdout.write("\n".join(oldest(chain(project["dependencies"], *extras))) + "\n")


if __name__ == "__main__":
    main()
