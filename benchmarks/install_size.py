"""What an installation weighs, largest packages first: `python benchmarks/install_size.py`.

Of the environment of this Python: bytes of the files that each package's record names, without
compiled caches. `--extras` prints what each extra brings beyond the base install, where it is
installed.
"""

import argparse
import importlib.metadata
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sizes():
    found = {}
    for one in importlib.metadata.distributions():
        paths = [one.locate_file(file) for file in one.files or () if file.suffix != ".pyc"]
        found[one.name, one.version] = sum(p.stat().st_size for p in paths if p.is_file())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def print_table(found, first):
    print("| package | MB |\n|---|---|")
    for (name, version), size in list(found.items())[:first]:
        print(f"| {name} {version} | {size / 1e6:,.0f} |")
    rest = list(found.values())[first:]
    print(f"| {len(rest)} others | {sum(rest) / 1e6:,.0f} |")
    print(f"| **all** | **{sum(found.values()) / 1e6:,.0f}** |")


def print_extras(found):
    sys.path.insert(0, str(ROOT / ".ci"))
    from licences import DEVELOPMENT, canonicalize_name, closure, project_requirements

    by_name = {canonicalize_name(name): size for (name, _), size in found.items()}
    base, extras = project_requirements()
    known = closure(base)
    print("| extra | MB | most of it |\n|---|---|---|")
    for extra, requirements in extras.items():
        if extra not in DEVELOPMENT:
            new = {x: by_name.get(x, 0) for x in closure(requirements) if x not in known}
            largest = sorted(new, key=new.get, reverse=True)[:3]
            print(f"| `{extra}` | {sum(new.values()) / 1e6:,.0f} | {', '.join(largest)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=10)
    parser.add_argument("--extras", action="store_true")
    wanted = parser.parse_args()
    print_extras(sizes()) if wanted.extras else print_table(sizes(), wanted.first)


if __name__ == "__main__":
    main()
