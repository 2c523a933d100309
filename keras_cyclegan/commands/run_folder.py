"""A run's folder: locked by one process, with a record of the options of the run."""

import contextlib
import dataclasses
import json
import os
from pathlib import Path

from keras_cyclegan.commands.options import TrainingOptions
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.lock import InUse, hold

CONFIG = "config.json"
LOCK = ".lock"

# Options that may change when a run is continued: they don't influence the training.
CHANGEABLE = {
    "checkpoint_minutes",
    "checkpoint_steps",
    "keep_checkpoints",
    "half_precision",
    "scores",
    "scores_every",
    "on_error",
    "data",  # its folder may have moved
    "data_b",
    "max_pixels",
    "distribute",
    "remat",
}
# Options of the length: they may change too, and the learning rate falls accordingly.
LENGTH = {"epochs", "decay_epochs"}
# Options that may only change with --adjust.
ADJUSTABLE = {
    "learning_rate",
    "discriminator_learning_rate",
    "final_learning_rate",
    "clip_norm",
}


@contextlib.contextmanager
def locked(folder):
    """Keep other processes from training in this folder at the same time.

    Raises:
        RuntimeError: another process trains there; the message says which, where and since when.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold(folder / LOCK))
        except InUse as error:
            raise RuntimeError(
                f"{folder} is in use by {error.holder}. Wait for it to end, or give another --out."
            ) from None
        yield


def compare_options(folder, options, adjust=False):
    """Compare the options of a continued run with those with which it was started.

    Args:
        folder: path of the run; it may not exist yet.
        options: `TrainingOptions`.
        adjust: bool, False by default. Whether `ADJUSTABLE` options may differ.

    Returns:
        Lines that say what has changed.

    Raises:
        ValueError: the run was started with other options, or its record is missing or damaged.
    """
    recorded = read_options(folder)
    if recorded is None:
        return []
    changed = {
        name: f"{name} was {recorded[name]!r}, now {value!r}"
        for name, value in as_json(options).items()
        if recorded[name] != value
    }
    allowed = CHANGEABLE | LENGTH | (ADJUSTABLE if adjust else set())
    refused = [text for name, text in changed.items() if name not in allowed]
    if refused:
        raise ValueError(
            f"{folder} holds a run with other options: {'; '.join(refused)}. Give the same options "
            "to continue it, or another --out to start a new run. With --adjust, it continues with "
            f"another {', '.join(sorted(ADJUSTABLE))}."
        )
    lines = [f"Changed: {'; '.join(changed.values())}."] if changed else []
    if LENGTH & set(changed):
        last = "second half" if options.decay_epochs is None else f"last {options.decay_epochs}"
        lines.append(f"The learning rate now falls over the {last} of {options.epochs} epochs.")
    return lines


def write_options(folder, options):
    """Write `config.json`."""
    with atomic_file(Path(folder) / CONFIG) as unfinished:
        unfinished.write_text(json.dumps(as_json(options), indent=2) + "\n")


def as_json(options):
    """Convert options for `config.json`; of a folder of data, only its name is recorded."""
    recorded = dataclasses.asdict(options)
    for name in ("data", "data_b", "scores"):
        if recorded[name] is not None and os.path.isdir(recorded[name]):
            recorded[name] = Path(recorded[name]).resolve().name
    return recorded


def read_options(folder):
    """Read `config.json`; options that are newer than the run get their defaults.

    Returns:
        dict, or None for a new run.

    Raises:
        ValueError: the file is missing, empty or damaged although there are checkpoints; or it has
            options that this version doesn't know.
    """
    path = Path(folder) / CONFIG
    text = path.read_text() if path.exists() else ""
    if not text.strip():
        if any(Path(folder).glob("checkpoints/step-*")):
            raise ValueError(
                f"{folder} holds checkpoints, but {CONFIG}, which records their options, is "
                f"{'empty' if path.exists() else 'missing'}. Put it back to continue, or give "
                "another --out to start a new run."
            )
        return None
    try:
        recorded = json.loads(text)
        unknown = set(recorded) - {field.name for field in dataclasses.fields(TrainingOptions)}
        if not unknown:
            return dataclasses.asdict(TrainingOptions(**recorded))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: {error} Put it back, or give another --out."
        ) from None
    raise ValueError(
        f"{path} has options that this version of keras_cyclegan doesn't know: "
        f"{', '.join(sorted(unknown))}."
    )
