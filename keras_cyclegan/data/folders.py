"""Finds images in folders, and splits them for training and validation."""

import contextlib
import logging
import os
import pathlib
import re
import zlib
from collections import Counter

from keras_cyclegan.data.kinds import MAGIC, Place, holds_many, kind_of, split_name, suffix_of
from keras_cyclegan.data.stacks import open_stack
from keras_cyclegan.data.store import Split
from keras_cyclegan.files.untrusted import listing, printable

logger = logging.getLogger(__name__)

WRITTEN_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")  # and hidden files


def walk_files(folder):
    """Yield all files below a folder, except for those in hidden folders; links are followed."""

    def refuse(error):
        raise error  # for a folder without permission, which `os.walk` would skip

    seen = set()  # since links can form a loop
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [f for f in folders if not f.startswith(".")]
        yield from () if real in seen else (pathlib.Path(place, name) for name in names)
        seen.add(real)


def sort_files(paths):
    """Return images, of known kinds or without a suffix, and counts of other files' suffixes."""
    files, others = [], Counter()
    for path in paths:
        is_hidden = path.name.startswith(".") or path.name in WRITTEN_BY_SYSTEMS
        # A broken link is an image, so that an error names it.
        if is_hidden or not (path.is_file() or path.is_symlink()):
            continue
        suffix = suffix_of(path)
        if kind_of(path) or (not suffix and (not path.exists() or _is_image(path))):
            files.append(path)
        else:
            others[suffix or "no suffix"] += 1
    return sorted(files), others


def _is_image(path):
    with open(path, "rb") as file:
        return file.read(4).startswith(MAGIC)


def left_out(others):
    """Say which files of other kinds there are: `"3 files: 2 of .gif, 1 of .txt"`."""
    counts = [f"{count} of {printable(suffix)}" for suffix, count in others.most_common(8)]
    return f"{others.total()} file{'s' if others.total() > 1 else ''}: {', '.join(counts)}"


def find_split(source, channels=None):
    """Find the images of one domain: a `Split` of a folder, or of a file that holds many images."""
    folder, inner = split_name(source)
    if folder.is_file() and holds_many(folder):
        sources, folder = [source], folder.parent
    elif folder.is_dir():
        sources, others = sort_files(walk_files(folder))
        if others:
            logger.warning("%s: left out %s.", printable(folder), left_out(others))
        if not sources:
            raise ValueError(f"There are no images in {printable(folder)}.")
    else:
        raise FileNotFoundError(
            f"Expected a folder of images, or a file of many. Received {printable(folder)}."
        )
    names, places, keys = [], [], []
    for each in sources:
        path, _ = split_name(each)
        state = path.stat() if path.exists() else path.lstat()
        keys.append(f"{path.resolve()} {inner} {state.st_size} {state.st_mtime_ns}")
        for place in frames(each, channels):
            index = f"[{place.index}]" if isinstance(place, Place) else ""
            names.append(f"{path.relative_to(folder)}{index}")
            places.append((printable(str(place)), place))
    return Split(printable(source), "\n".join(keys), names, lambda: places)


def frames(source, channels=None):
    """Return the images of one file: a list of `Place`, or of the path itself if it has one."""
    path, name = split_name(source)
    count = 1
    if holds_many(path) and path.exists():
        with contextlib.suppress(ImportError, ValueError):  # said when it is decoded
            count = open_stack(path, name, channels).shape[0]
    if count == 1 and name is None:
        return [path]
    return [Place(path, name, index) for index in range(count)]


def take(split, chosen):
    """Return the `Split` of some of the images."""
    records, names = split.records(), [split.names[i] for i in chosen]
    return Split(split.title, f"{split.key}\n{chosen}", names, lambda: [records[i] for i in chosen])


def hold_out(split, validation_split, group_by=None):
    """Return two `Split`s, for training and validation, by the images' names, as `load` says."""
    groups = {}
    for number, name in enumerate(split.names):
        groups.setdefault(_group(split, name, group_by), []).append(number)
    held_out = round(split.count * validation_split)
    # By checksums of the names, so that a new file doesn't move others to the other split.
    test = []
    for group in sorted(groups, key=lambda group: zlib.crc32(os.fsencode(group))):
        if len(test) < held_out:
            test += groups[group]
    if not 0 < len(test) < split.count:
        raise ValueError(
            f"validation_split={validation_split} of {split.count} images in {len(groups)} groups "
            f"in {split.title} leaves no image for training or for validation."
        )
    train = sorted(set(range(split.count)) - set(test))
    return take(split, train), take(split, sorted(test))


def _group(split, name, group_by):
    if group_by is None:  # a file with all of its pages
        return name.rpartition("[")[0] if name.endswith("]") and "[" in name else name
    found = re.search(group_by, name)
    if found is None:
        raise ValueError(f"`group_by={group_by!r}` matches nothing in {printable(name)}.")
    return found[1] if found.re.groups else found[0]


def matching(split, others):
    """Return the `Split` of files with the same names as those of `split`, suffixes aside."""
    by_name = {pathlib.PurePath(name).with_suffix(""): i for i, name in enumerate(others.names)}
    wanted = [pathlib.PurePath(name).with_suffix("") for name in split.names]
    missing = [printable(str(name)) for name in wanted if name not in by_name]
    if missing:
        raise ValueError(
            f"{others.title} must hold a file for each image of {split.title}. Missing are "
            f"{len(missing)} of {split.count}: {listing(missing)}."
        )
    return take(others, [by_name[name] for name in wanted])
