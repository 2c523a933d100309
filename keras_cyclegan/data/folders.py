"""Finds images in folders, and splits them for training and validation."""

import numbers
import os
import pathlib
import zlib

from keras_cyclegan.data.store import Split

WRITTEN_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")  # and hidden files


def folder_splits(source, validation_split=0.0):
    """Find the images of both domains.

    Args:
        source: a folder with `trainA` and `trainB`, and perhaps `testA` and `testB`, or two
            folders, `(a, b)`. Sub-folders are searched too, and links followed; images are sorted
            by path.
        validation_split: float, 0 by default. Fraction of the images to keep for validation where
            there is no `testA` and `testB`. The choice depends on the files' names only.

    Returns:
        Four `Split`s: train A, train B, test A, test B; the last two are `None` without
        validation images.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder is empty, or only one of `testA` and `testB` is there.
    """
    if not isinstance(validation_split, numbers.Real) or not 0.0 <= validation_split < 1.0:
        raise ValueError(f"`validation_split` is in [0, 1). Received: {validation_split!r}.")
    if isinstance(source, (tuple, list)):
        if len(source) != 2:
            raise ValueError(f"Expected two folders, (a, b). Received {len(source)}: {source!r}.")
        train_a, train_b = map(pathlib.Path, source)
        tests = None
    else:
        if not isinstance(source, (str, os.PathLike)):
            raise ValueError(f"Expected a folder, or two folders (a, b). Received: {source!r}.")
        root = pathlib.Path(source)
        train_a, train_b = root / "trainA", root / "trainB"
        tests = root / "testA", root / "testB"
        if not (train_a.is_dir() and train_b.is_dir()):
            raise FileNotFoundError(
                f"{root} must be a folder with sub-folders trainA and trainB (and testA and testB "
                f"for validation). Found: {_found(root)}. Two folders of other names are given as "
                'a pair: load(("photos", "paintings")); other sources are "glyphs" and "tfds:NAME".'
            )
        if tests[0].is_dir() != tests[1].is_dir():
            raise ValueError(
                f"{root} has only one of testA and testB. Validation needs both: add the other, or "
                "remove or rename this one."
            )
        tests = tests if tests[0].is_dir() else None
    if tests is None:
        splits = [
            _hold_out(folder, _files(folder), validation_split) for folder in (train_a, train_b)
        ]
        return splits[0][0], splits[1][0], splits[0][1], splits[1][1]
    if validation_split:
        raise ValueError(
            f"{source} has testA and testB: they are the validation data. "
            f"Received: validation_split={validation_split}."
        )
    return tuple(_split(folder, _files(folder)) for folder in (train_a, train_b, *tests))


def folder_pair(source, name):
    """Find the images of one split of both domains.

    Args:
        source: a folder with `{name}A` and `{name}B`.
        name: `"test"` or `"train"`.

    Returns:
        Two `Split`s, A and B.

    Raises:
        FileNotFoundError: one of the folders is missing.
        ValueError: one of the folders is empty.
    """
    folders = [pathlib.Path(source) / f"{name}{domain}" for domain in "AB"]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise FileNotFoundError(
            f"Scores are measured on {folders[0]} and {folders[1]}. There is no folder "
            f"{' and no '.join(missing)}."
        )
    return tuple(_split(folder, _files(folder)) for folder in folders)


def _files(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"Expected a folder of images. Received: {folder}.")
    files = sorted(
        path
        for path in walk_files(folder)
        # A broken link is kept, so that an error names the missing image.
        if (path.is_file() or path.is_symlink())
        and not path.name.startswith(".")
        and path.name not in WRITTEN_BY_SYSTEMS
    )
    if not files:
        raise ValueError(f"There are no images in {folder}.")
    return files


def walk_files(folder):
    """Yield all files below a folder, except for those in hidden folders.

    Links are followed. Each folder is visited once only, since links can form a loop.
    """

    def refuse(error):
        raise error  # for a folder without permission, which `os.walk` would skip

    seen = set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [f for f in folders if not f.startswith(".")]
        yield from () if real in seen else (pathlib.Path(place, name) for name in names)
        seen.add(real)


def _hold_out(folder, files, validation_split):
    held_out = round(len(files) * validation_split)
    if validation_split and not 0 < held_out < len(files):
        raise ValueError(
            f"validation_split={validation_split} of the {len(files)} images in {folder} leaves "
            "no image for training or for validation."
        )
    # By checksums of the names, so that a new file doesn't move others to the other split.
    order = sorted(files, key=lambda path: zlib.crc32(str(path.relative_to(folder)).encode()))
    test = sorted(order[:held_out])
    train = sorted(order[held_out:])
    return _split(folder, train), _split(folder, test) if test else None


def _split(folder, files):
    states = [(path, path.stat() if path.exists() else path.lstat()) for path in files]
    key = "\n".join(f"{path.resolve()} {s.st_size} {s.st_mtime_ns}" for path, s in states)
    return Split(str(folder), key, len(files), lambda: ((str(path), path) for path in files))


def _found(root):
    if root.is_file():
        return "a file"
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "nothing there"
