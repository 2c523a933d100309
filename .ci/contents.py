"""What a wheel and an sdist hold, against what git holds: `python .ci/contents.py dist/*`.

The sdist is all files of git; the wheel is the package's files. Neither may lack one, or hold one
more: no cache, no run's folder, no picture that was left in the tree.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tracked(folder="."):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return {name for name in listed.stdout.split("\0") if name}


def wheel_files(path):
    """Files of a wheel, without its `dist-info`, whose files are returned beside them."""
    with zipfile.ZipFile(path) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    own = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    return names - own, {name.split("/", 1)[1] for name in own}


def sdist_files(path):
    with tarfile.open(path) as archive:
        return {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}


def compare(what, found, expected):
    problems = [f"{what} lacks {name}" for name in sorted(expected - found)]
    return problems + [f"{what} holds {name} too" for name in sorted(found - expected)]


def main(paths):
    if not (ROOT / ".git").exists():
        sys.exit("The contents can't be compared: this is no clone.")
    problems, kinds = [], set()
    for path in map(Path, paths):
        if path.suffix == ".whl":
            found, own = wheel_files(path)
            problems += compare(path.name, found, tracked("keras_cyclegan"))
            expected = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
            problems += compare(f"{path.name}'s dist-info", own, expected)
        else:
            found = sdist_files(path)
            problems += compare(path.name, found, tracked() | {"PKG-INFO"})
        kinds.add(path.suffix)
        print(f"{path.name}: {len(found)} files, {path.stat().st_size / 1e6:.1f} MB")
    if kinds != {".whl", ".gz"}:
        problems.append(f"A wheel and an sdist were expected. Received {[*map(str, paths)]}.")
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main(sys.argv[1:])
