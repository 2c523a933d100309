"""The methods of `CycleGAN` for presets: built-in names, folders and hubs."""

import difflib
from pathlib import Path
from typing import Any, Self

from keras_cyclegan.arguments import PathLike, check_image_layout
from keras_cyclegan.presets import folder as folders
from keras_cyclegan.presets.hubs import HANDLES, hub_folder
from keras_cyclegan.presets.table import PUBLISHED, list_presets, load_published, shipped_folders


class _Presets:
    """`CycleGAN.presets`: the table of built-in presets, read when asked for."""

    def __get__(self, instance, owner):
        return list_presets()


class PresetMixin:
    """Presets, for `CycleGAN`."""

    presets = _Presets()

    @classmethod
    def from_preset(cls, preset: PathLike, load_weights: bool = True, **overrides: Any) -> Self:
        """Load a model by its preset: built in, from a folder or from a hub.

        Its files are checked before they are used: nothing in them is run.

        Args:
            preset: a built-in name (see `CycleGAN.presets`); the path of a local folder;
                `"hf://user/repo"`; or `"kaggle://user/model/keras/variant"`.
            load_weights: bool. False gives the architecture with fresh weights, for built-in names
                without a download.
            **overrides: arguments of `CycleGAN` that replace the preset's: `pool_size`; `dtype`,
                which is given to every network; a network, which keeps its own weights; …

        Returns:
            A `CycleGAN` that is not compiled. If the preset holds no weights for its
            discriminators, they are fresh; a preset of one generator has no discriminators.

        Raises:
            ValueError: there is no such preset, an argument is unknown, or a file of the preset is
                refused; the message names it.
            FileNotFoundError: a file of the preset is missing.
            DownloadError: it could not be downloaded.
            ImportError: the hub's client is not installed.

        Example:

        ```python
        CycleGAN.presets.keys()  # the built-in names
        model = CycleGAN.from_preset("horse2zebra")
        ```
        """
        check_image_layout()  # before a download
        folders.check_overrides(cls, overrides)
        if isinstance(preset, str) and "://" in preset:
            folder, root = hub_folder(preset, load_weights)
            return folders.load_folder(cls, folder, load_weights, overrides, root)
        shipped = {folder.name: folder for folder in shipped_folders()}
        if (preset in shipped or preset in PUBLISHED) and Path(preset, folders.CONFIG).exists():
            raise ValueError(
                f"{preset!r} is both a built-in preset and a folder here. Write "
                f"{f'./{preset}'!r} for the folder, or rename it."
            )
        if preset in PUBLISHED:
            return load_published(cls, preset, load_weights, overrides)
        folder = shipped.get(preset) or folders.local_preset(preset)
        if not folder.is_dir():
            raise ValueError(_unknown(folder, str(preset)))
        return folders.load_folder(cls, folder, load_weights, overrides)

    def save_to_preset(
        self,
        folder: PathLike,
        card: dict[str, Any] | None = None,
        half_precision: bool = False,
        discriminators: bool = True,
    ) -> None:
        """Write the networks to a folder for `from_preset`.

        The folder, in keras-hub's format, holds `config.json`, `metadata.json`, `model.weights.h5`
        (the generators), `discriminators.weights.h5` and the model card `README.md`; no optimizer
        state and no image pool. If the generators have averages (`ema_momentum`), it holds these
        in place of the generators. A preset that is already there is replaced when the new one is
        complete.

        Args:
            folder: path of the folder.
            card: dict from headings to Markdown, for the model card: first `description`, then what
                you know of data, licence, recipe, scores and failures.
            half_precision: bool. Whether to store float16, for half the bytes; it loads as float32.
            discriminators: bool. Whether to store the discriminators too: they are for further
                training, not for translating.

        Raises:
            ValueError: a weight is not finite, `from_preset` could not load a network's class, or
                there is something else than a preset in `folder`.
            OSError: the folder can't be written.

        Example:

        ```python
        model.save_to_preset("mine", card={"description": "Sketches to photos."})
        model = CycleGAN.from_preset("mine")
        ```
        """
        folders.save_folder(self, folder, card, half_precision, discriminators)


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
        f"folder, {HANDLES}."
    )
