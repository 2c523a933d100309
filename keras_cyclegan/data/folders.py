"""Finds images in folders, and splits them for training and validation."""

import logging
import os
import pathlib
import re
import zlib
from collections import Counter

from keras_cyclegan.data.kinds import KINDS, Place, kind_of, split_name, suffix_of
from keras_cyclegan.data.stacks import open_stack
from keras_cyclegan.data.store import Split
from keras_cyclegan.files.untrusted import printable

logger = logging.getLogger(__name__)

WRITTEN_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")  # and hidden files


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


def sort_files(paths):
    """Tell images from other files: those of known kinds, and those without a suffix.

    Returns:
        Sorted list of paths, and a `Counter` of the suffixes of other files, which are left out.
        A broken link is in the list, so that an error names the missing image.
    """
    files, others = [], Counter()
    for path in paths:
        if path.name.startswith(".") or path.name in WRITTEN_BY_SYSTEMS:
            continue
        if not (path.is_file() or path.is_symlink()):
            continue
        suffix = suffix_of(path)
        if kind_of(path) or not suffix:
            files.append(path)
        else:
            others[suffix] += 1
    return sorted(files), others


def left_out(others):
    """Say which files of other kinds there are: `"3 files: 2 of .gif, 1 of .txt"`."""
    listing = ", ".join(
        f"{count} of {printable(suffix)}" for suffix, count in others.most_common(8)
    )
    return f"{others.total()} file{'s' if others.total() > 1 else ''}: {listing}"


def find_split(source, channels=None):
    """Find the images of one domain.

    Args:
        source: path of a folder, or of a file that holds many images: a TIFF of several pages, a
            NumPy file, `FILE.h5:/NAME`, a volume.
        channels: int; see `open_stack`.

    Returns:
        `Split`.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it holds no images.
    """
    path, name = split_name(source)
    if path.is_file() and kind_of(path) and KINDS[kind_of(path)].many:
        return _split(path.parent, [(path, name)], str(source), channels)
    if not path.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of images, or a file of many. Received: {printable(path)}."
        )
    files, others = sort_files(walk_files(path))
    if others:
        logger.warning("%s: left out %s.", printable(path), left_out(others))
    if not files:
        raise ValueError(f"There are no images in {printable(path)}.")
    return _split(path, [(file, None) for file in files], printable(path), channels)


def _split(folder, files, title, channels):
    entries, keys = [], []
    for path, name in files:
        state = path.stat() if path.exists() else path.lstat()
        keys.append(f"{path.resolve()} {name} {state.st_size} {state.st_mtime_ns}")
        shown = str(path.relative_to(folder))
        for place in frames(path if name is None else f"{path}:/{name}", channels):
            index = f"[{place.index}]" if isinstance(place, Place) else ""
            entries.append((f"{shown}{index}", place))
    return _of_entries(title, "\n".join(keys), entries)


def frames(source, channels=None):
    """Return the images of one file: a list of `Place`, or of the path itself if it has one only.

    Raises:
        ImportError: the library that reads it isn't installed.
    """
    path, name = split_name(source)
    count = _count(path, name, channels)
    if count == 1 and name is None:
        return [path]
    return [Place(path, index, name) for index in range(count)]


def _count(path, name, channels):
    kind = kind_of(path)
    if not (kind and KINDS[kind].many and path.exists()):
        return 1
    if kind == "TIFF" and _is_one_page(path):
        return 1
    try:
        return open_stack(path, name, channels).shape[0]
    except (ImportError, ValueError):
        return 1  # what is wrong is said when it is decoded


def _is_one_page(path):
    """Return whether Pillow sees a TIFF of one page; the library for stacks takes longer."""
    from PIL import Image

    try:
        with Image.open(path, formats=["TIFF"]) as image:
            return getattr(image, "n_frames", 1) == 1 and image.mode not in ("I;16", "I", "F")
    except Exception:
        return False


def _of_entries(title, key, entries):
    def records():
        return [(printable(str(source)), source) for _, source in entries]

    return Split(title, key, len(entries), records, [name for name, _ in entries])


def take(split, numbers_, part=""):
    """Return the `Split` of some of the images."""
    records = split.records()

    def some():
        return [records[i] for i in numbers_]

    key = f"{split.key}\n{part}{list(numbers_) if len(numbers_) < split.count else ''}"
    return Split(split.title, key, len(numbers_), some, [split.names[i] for i in numbers_])


def hold_out(split, validation_split, group_by=None):
    """Split images for training and validation.

    Args:
        split: `Split`.
        validation_split: float in [0, 1). Fraction of the images for validation. The choice depends
            on their names only.
        group_by: regular expression. Images whose names (with their sub-folders) agree in its first
            group, or in all that it matches where it has none, stay on one side: slices of a
            patient, frames of a film. None, the default: each file by itself.

    Returns:
        Two `Split`s; the second one is None where `validation_split` is 0.

    Raises:
        ValueError: one side would be empty, or a name doesn't match.
    """
    if not validation_split:
        return split, None
    groups = {}
    for number, name in enumerate(split.names):
        groups.setdefault(_group(split, name, group_by), []).append(number)
    held_out = round(split.count * validation_split)
    # By checksums of the names, so that a new file doesn't move others to the other split.
    order = sorted(groups, key=lambda group: zlib.crc32(os.fsencode(group)))
    test = []
    for group in order:
        if len(test) < held_out:
            test += groups[group]
    if not 0 < len(test) < split.count:
        raise ValueError(
            f"validation_split={validation_split} of the {split.count} images in {split.title}"
            f"{f' in {len(groups)} groups' if group_by else ''} leaves no image for training or "
            "for validation."
        )
    chosen = set(test)
    train = [number for number in range(split.count) if number not in chosen]
    return take(split, train, "train"), take(split, sorted(test), "test")


def _group(split, name, group_by):
    if group_by is None:
        return name.rpartition("[")[0] if name.endswith("]") and "[" in name else name
    found = re.search(group_by, name)
    if found is None:
        raise ValueError(
            f"`group_by={group_by!r}` matches nothing in {printable(name)}, an image of "
            f"{split.title}."
        )
    return found[1] if found.re.groups else found[0]


def matching(split, others):
    """Return the `Split` of files with the same names as those of `split`, suffixes aside.

    Args:
        split: `Split` of images.
        others: `Split` of what belongs to them, such as masks.

    Raises:
        ValueError: names are missing; the message lists them.
    """
    by_name = {pathlib.PurePath(name).with_suffix(""): i for i, name in enumerate(others.names)}
    wanted = [pathlib.PurePath(name).with_suffix("") for name in split.names]
    missing = [printable(str(name)) for name in wanted if name not in by_name]
    if missing:
        listing = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        raise ValueError(
            f"{others.title} must hold a file for each image of {split.title}. Missing are "
            f"{len(missing)} of {split.count}: {listing}."
        )
    return take(others, [by_name[name] for name in wanted])
