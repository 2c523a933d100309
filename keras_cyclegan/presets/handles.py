"""Loads a preset by its handle: a built-in name, a folder, a hub or an archive."""

import difflib
from pathlib import Path

from keras_cyclegan.arguments import check_image_layout
from keras_cyclegan.presets.config import build_model, check_overrides
from keras_cyclegan.presets.folder import CONFIG, load_folder, local_preset
from keras_cyclegan.presets.hubs import HANDLES, hub_folder
from keras_cyclegan.presets.published import published_config, published_folder
from keras_cyclegan.presets.table import PUBLISHED, list_presets, shipped_folders


def from_preset(cls, preset, load_weights=True, overrides=None):
    """Do what `CycleGAN.from_preset` says, for the class `cls`."""
    overrides = overrides or {}
    check_image_layout()  # before a download
    check_overrides(cls, overrides)
    if isinstance(preset, str) and "://" in preset:
        with hub_folder(preset, load_weights) as (folder, root):
            return load_folder(cls, folder, load_weights, overrides, root)
    shipped = {folder.name: folder for folder in shipped_folders()}
    if (preset in shipped or preset in PUBLISHED) and Path(preset, CONFIG).exists():
        raise ValueError(
            f"{preset!r} is both a built-in preset and a folder here. Write {f'./{preset}'!r} for "
            "the folder, or rename it."
        )
    if preset in shipped:
        return load_folder(cls, shipped[preset], load_weights, overrides)
    if preset in PUBLISHED:
        if not load_weights:
            return build_model(cls, published_config(preset), overrides)
        return load_folder(cls, published_folder(preset), overrides=overrides)
    folder = local_preset(preset)
    if folder.is_dir():
        return load_folder(cls, folder, load_weights, overrides)
    raise ValueError(_unknown(folder, str(preset)))


def _unknown(folder, preset):
    if folder.is_file():
        others = [folder.parent / "preset"] if (folder.parent / "preset").is_dir() else []
        return (
            f"{preset!r} is a file, and a preset is a folder{f': {others[0]}' if others else ''}. "
            "`keras.saving.load_model` reads a `.keras` file."
        )
    close = difflib.get_close_matches(preset, list_presets(), n=5, cutoff=0.5)
    meant = f"Did you mean {', '.join(map(repr, close))}? " if close else ""
    return (
        f"There is no preset {preset!r}. {meant}"
        "`keras_cyclegan.list_presets()` lists the built-in ones. Also possible: a local "
        f"folder, {', '.join(HANDLES)}."
    )
