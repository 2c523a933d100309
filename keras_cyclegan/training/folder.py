"""A run's folder: locked by one process, with a record of the options of the run."""

import contextlib
import dataclasses
import json
import os
import zlib
from pathlib import Path

import filelock

from keras_cyclegan.data.load import image_names
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.training.option import options_of
from keras_cyclegan.training.options import TrainingOptions

CONFIG = "config.json"
PLACE = "images.json"  # which images, and where on this machine; `config.json` has no paths
IMAGES = ("data", "data_b")

CHANGEABLE, LENGTH, ADJUSTABLE = (
    {name for name, option in options_of(TrainingOptions).items() if option.change == change}
    for change in ("always", "length", "adjust")
)


@contextlib.contextmanager
def locked(folder):
    """Keep other processes from training in this folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(filelock.FileLock(folder / ".lock", timeout=2))
        except filelock.Timeout:
            raise RuntimeError(
                f"{folder} is in use by another process. Wait for it to end, or give another --out."
            ) from None
        yield


def as_json(options):
    """Convert options for `config.json`, which records of a folder of data only its name."""
    recorded = dataclasses.asdict(options)
    for name in (*IMAGES, "scores"):
        if recorded[name] is not None and os.path.isdir(recorded[name]):
            recorded[name] = Path(recorded[name]).resolve().name
    return recorded


def write_options(folder, options):
    """Write `config.json`."""
    _write(Path(folder) / CONFIG, as_json(options))


def read_options(folder):
    """Read `config.json`, or None for a new run; options that it lacks get their defaults."""
    path = Path(folder) / CONFIG
    if not path.exists() and not any(Path(folder).glob("checkpoints/step-*")):
        return None
    try:
        return dataclasses.asdict(TrainingOptions(**json.loads(path.read_text())))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path}, the record of the run's options, is missing, damaged or of a later version: "
            f"{error}. Put it back, or give another --out to start a new run."
        ) from None


def complete_options(folder, given, recipe=None):
    """Make the options of a run: those that are given, and for a run that goes on, its own.

    The options of a `recipe` count as given where `given` has no others.
    """
    own = read_options(folder) or {}
    if own:
        place = read_place(folder)
        own |= {name: place[name] for name in IMAGES if place.get(name)}
        if "data" in given:
            own["data_b"] = None
    options = {**own, **(recipe or {}), **given}
    if "data" not in options:
        raise ValueError("A new run needs `data`: a folder with trainA and trainB, for example.")
    return TrainingOptions(**options)


def compare_options(folder, options, adjust=False):
    """Return how the options of a run that goes on have changed, as text.

    Others than those that may always change, and with `adjust` the `ADJUSTABLE` ones, are refused.
    """
    recorded = read_options(folder)
    if recorded is None:
        return ""
    changed = {
        name: f"{name} was {recorded[name]!r}, now {value!r}"
        for name, value in as_json(options).items()
        if recorded[name] != value
    }
    allowed = CHANGEABLE | LENGTH | (ADJUSTABLE if adjust else set())
    if refused := [text for name, text in changed.items() if name not in allowed]:
        raise ValueError(
            f"{folder} holds a run with other options: {'; '.join(refused)}. Give the same options "
            "to continue it, or another --out to start a new run. With --adjust, it continues with "
            f"another {', '.join(sorted(ADJUSTABLE))}."
        )
    return "; ".join(changed.values())


def write_place(folder, options, steps_per_epoch):
    """Write `images.json`: where the images are, which ones, and the steps of an epoch."""
    found = {"steps_per_epoch": steps_per_epoch, "images": fingerprint(options)}
    for name in IMAGES:
        value = getattr(options, name)
        is_local = value is not None and os.path.exists(value)
        found[name] = os.path.abspath(value) if is_local else value
    _write(Path(folder) / PLACE, found)


def read_place(folder):
    """Read what `write_place` wrote; an empty dict where there is none."""
    try:
        return {**json.loads((Path(folder) / PLACE).read_text())}
    except (OSError, ValueError, TypeError):
        return {}


def keep_epochs(folder, options, adjust):
    """Refuse other images, or with `adjust` return options whose epochs are as long as before."""
    place, images = read_place(folder), fingerprint(options)
    before = place.get("images", images)
    if before == images:
        return options
    if not adjust:
        raise ValueError(
            f"{folder} was trained on other images: {before[0]} of A and {before[1]} of B, now "
            f"{images[0]} of A and {images[1]} of B. Give the same images to continue, or another "
            "--out to start a new run. With --adjust, it goes on with these, in epochs as long as "
            "before."
        )
    return dataclasses.replace(options, steps_per_epoch=place["steps_per_epoch"])


def fingerprint(options):
    """Return the count of images of A and of B, and a checksum of their names."""
    source = options.data if options.data_b is None else (options.data, options.data_b)
    names = [list(map(str, found)) for found in image_names(source, "train")]
    return [*map(len, names), zlib.crc32(repr(names).encode(errors="replace"))]


def _write(path, values):
    with atomic_file(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2) + "\n")
