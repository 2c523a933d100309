"""Loads a preset by its handle: a built-in name, a folder, a hub or an archive."""

import difflib
import os
from typing import Any

from keras_cyclegan.arguments import PathLike, check_image_layout
from keras_cyclegan.files.atomic import recover
from keras_cyclegan.presets.config import build_model, check_overrides
from keras_cyclegan.presets.folder import CONFIG, load_folder
from keras_cyclegan.presets.hubs import HANDLES, hub_folder
from keras_cyclegan.presets.published import published_config, published_folder
from keras_cyclegan.presets.table import PUBLISHED, list_presets, shipped_folders


def from_preset(
    cls: Any,
    preset: PathLike,
    load_weights: bool = True,
    overrides: dict[str, Any] | None = None,
) -> Any:
    """Load a model by its preset.

    `CycleGAN.from_preset` calls it, and describes the arguments, the result and the errors.

    Args:
        cls: `CycleGAN` or a subclass.
        preset, load_weights: see `CycleGAN.from_preset`.
        overrides: dict of the further arguments of `CycleGAN.from_preset`. None, the default, for
            none.

    Returns:
        An instance of `cls`.

    Example:

    ```python
    class Restorer(CycleGAN):
        def restore(self, image):
            return self.translate(image, direction="b_to_a")

    model = from_preset(Restorer, "glyphs", overrides={"pool_size": 0})
    ```
    """
    overrides = overrides or {}
    check_image_layout()  # before a download
    check_overrides(cls, overrides)
    if isinstance(preset, str) and "://" in preset:
        with hub_folder(preset, load_weights) as (folder, root):
            return load_folder(cls, folder, load_weights, overrides, root)
    shipped = {folder.name: folder for folder in shipped_folders()}
    is_name = preset in shipped or preset in PUBLISHED
    if is_name and os.path.exists(os.path.join(preset, CONFIG)):
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
    recover(os.path.expanduser(preset))
    if os.path.isdir(os.path.expanduser(preset)):
        return load_folder(cls, preset, load_weights, overrides)
    raise ValueError(_unknown(preset))


def _unknown(preset):
    close = difflib.get_close_matches(str(preset), list_presets(), n=5, cutoff=0.5)
    meant = f"Did you mean {', '.join(map(repr, close))}? " if close else ""
    return (
        f"There is no preset {str(preset)!r}. {meant}"
        "`keras_cyclegan.list_presets()` lists the built-in ones. Also possible: a local "
        f"folder, {', '.join(HANDLES)}."
    )
