"""Files and folders that are there whole or not at all, whatever stops the writer."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def whole_file(path):
    """Yields the path of a file to write, which takes the place of `path` if nothing fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{_shortened(path.name)}")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())  # a power cut must not leave the name without the content
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(paths):
    """Removes what killed writers of these files left beside them; nobody may be writing them."""
    names = {}
    for path in map(Path, paths):
        names.setdefault(path.parent, set()).add(_shortened(path.name))
    for folder in filter(Path.is_dir, names):
        for file in folder.glob(".unfinished-*-*"):
            if file.name.split("-", 2)[2] in names[folder]:
                file.unlink(missing_ok=True)


def _shortened(name):
    """A name to which some letters can be added where a disk takes 255 bytes."""
    encoded = os.fsencode(name)
    if len(encoded) <= 200:
        return name
    return hashlib.sha256(encoded).hexdigest() + os.path.splitext(name)[1]


@contextlib.contextmanager
def whole_folder(path):
    """Yields a path for a file or folder to make, which takes the place of `path` if nothing fails.

    What `path` held before is kept until the new is in its place.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as beside:
        unfinished, replaced = Path(beside, "new" + path.suffix), Path(beside, "old")
        yield unfinished
        if path.exists():
            os.replace(path, replaced)
        try:
            os.replace(unfinished, path)
        except OSError:
            if replaced.exists():
                os.replace(replaced, path)
            raise
