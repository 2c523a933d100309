"""The preset folder, in keras-hub's format: written whole or not at all, and checked when read."""

import datetime
import json
import os
from pathlib import Path
from typing import Any

import keras

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.atomic import atomic_folder, recover
from keras_cyclegan.files.messages import brief
from keras_cyclegan.presets.card import model_card
from keras_cyclegan.presets.config import NETWORKS, build_model, model_config
from keras_cyclegan.presets.shapes_only import (
    MOST_FRESH_WEIGHTS,
    build_without_weights,
    check_weights,
)
from keras_cyclegan.presets.weights import assign_weights, read_weights, write_weights

CONFIG = "config.json"
METADATA = "metadata.json"
GENERATORS = "model.weights.h5"
DISCRIMINATORS = "discriminators.weights.h5"
CARD = "README.md"
FILES = (CONFIG, METADATA, GENERATORS, DISCRIMINATORS, CARD)
LARGEST_JSON = 10 * 2**20  # bytes


def save_to_preset(
    model: Any,
    folder: PathLike,
    card: dict[str, Any] | None = None,
    half_precision: bool = False,
    discriminators: bool = True,
) -> None:
    """Write a model to a folder for `CycleGAN.from_preset`.

    `CycleGAN.save_to_preset` calls it, and describes the folder, the arguments and the errors.

    Args:
        model: `CycleGAN`.
        folder, card, half_precision, discriminators: see `CycleGAN.save_to_preset`.

    Example:

    ```python
    save_to_preset(model, "translator", half_precision=True, discriminators=False)
    ```
    """
    import keras_cyclegan

    folder = Path(folder).expanduser().absolute()
    _check_replaceable(folder)
    config = model_config(model)
    both = zip(NETWORKS[:2], model.generators(), strict=True)
    generators = {name: network for name, network in both if network is not None}
    judges = _networks(model, "discriminator")
    metadata = {
        "keras_version": keras.__version__,
        "keras_cyclegan_version": keras_cyclegan.__version__,
        "parameter_count": sum(network.count_params() for network in generators.values()),
        "date_saved": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d@%H:%M:%S"),
        "storage_dtype": "float16" if half_precision else "float32",
        "card": dict(card or {}),
    }
    with atomic_folder(folder) as unfinished:
        unfinished.mkdir()
        _write_json(unfinished / CONFIG, config)
        _write_json(unfinished / METADATA, metadata)
        write_weights(unfinished / GENERATORS, generators, half_precision)
        if judges and discriminators:
            write_weights(unfinished / DISCRIMINATORS, judges, half_precision)
        text = model_card(folder.name, model, metadata)
        (unfinished / CARD).write_text(text, encoding="utf-8")


def load_folder(cls, folder, load_weights=True, overrides=None, root=None):
    """Load the model of a preset folder, which is checked as if an attacker had written it.

    Args:
        cls: `CycleGAN` or a subclass.
        folder: path of the folder.
        load_weights: bool. False gives the architecture with fresh weights.
        overrides: dict of arguments of `cls` that replace the preset's. A network given here
            keeps its own weights. Discriminators without stored weights get fresh ones.
        root: path of the folder that links in the preset may not leave. None, the default, takes
            the preset's folder.

    Returns:
        An instance of `cls`, not compiled.

    Raises:
        FileNotFoundError: the folder, its config or the generators' weights are missing.
        ValueError: a file of the preset is damaged or not allowed; see `build_model`,
            `read_weights`.
    """
    folder = Path(folder).expanduser()
    recover(folder)
    overrides = overrides or {}
    root = Path(root or folder)
    for file in (CONFIG, GENERATORS, DISCRIMINATORS):
        if os.path.lexists(folder / file):
            preset_file(folder, file, root)  # a bad link is refused before anything is built
    config = read_json(preset_file(folder, CONFIG, root))
    try:
        described = build_without_weights(lambda: build_model(cls, config, overrides))
    # With a stranger's config, Keras's constructors can raise nearly anything.
    except Exception as error:
        raise ValueError(f"{folder / CONFIG} can't be used: {brief(error)}") from error
    weights = {}
    if load_weights:
        for file, kind in ((GENERATORS, "generator"), (DISCRIMINATORS, "discriminator")):
            networks = _networks(described, kind)
            wanted = {name: networks[name] for name in networks if name not in overrides}
            absent = file == DISCRIMINATORS and not os.path.lexists(folder / file)
            if wanted and not absent:
                path = preset_file(folder, file, root)
                weights |= read_weights(path, wanted, skip=overrides)
    stored = {name.partition(".")[0] for name in weights}
    fresh = [n for name, n in _networks(described).items() if name not in {*stored, *overrides}]
    try:
        check_weights(fresh, MOST_FRESH_WEIGHTS)
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG} can't be used without weights: {error}") from error
    model = build_model(cls, config, overrides)
    assign_weights(_networks(model), weights)
    return model


def preset_file(folder, name, root):
    """Return the path of a preset's file, which must be inside of `root`, links followed."""
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} isn't a complete preset: it has no {name}. Expected a folder that "
            "`CycleGAN.save_to_preset` wrote."
        )
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path} is a link that leaves the preset, to {path.resolve()}.")
    return path


def read_json(path):
    """Read a JSON file that holds one object; raise a ValueError for anything else."""
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; {LARGEST_JSON} are allowed.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} nests its objects deeper than a preset can.") from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {brief(error)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold one JSON object, not a {type(content).__name__}.")
    return content


def _networks(model, kind=""):
    named = {name: getattr(model, name) for name in NETWORKS if name.startswith(kind)}
    return {name: network for name, network in named.items() if network is not None}


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _check_replaceable(folder):
    if not folder.exists():
        return
    others = ["a file"] if not folder.is_dir() else sorted({*os.listdir(folder)} - {*FILES})
    if others:
        raise ValueError(
            f"{folder} would be replaced, but it holds more than a preset: {others[:5]}. Give a "
            "new folder."
        )
