"""The methods of `CycleGAN` for presets: built-in names, folders and hubs."""

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
            load_weights: bool. False gives fresh weights, for built-in names without a download.
            **overrides: arguments of `CycleGAN` that replace the preset's: `pool_size`; `dtype`,
                which is given to every network; a network, which keeps its own weights; …

        Returns:
            A `CycleGAN` that is not compiled. Discriminators without weights in the preset are
            fresh; a preset of one generator has none.

        Raises:
            ValueError, FileNotFoundError: there is no such preset, or a file is refused or missing.
            DownloadError, ImportError: it can't be downloaded, or the hub's client is missing.
        """
        check_image_layout()  # before a download
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
            raise ValueError(
                f"There is no preset {str(preset)!r}. Expected a built-in name, which "
                f"`keras_cyclegan.list_presets()` lists, a folder that `save_to_preset` wrote, or "
                f"{HANDLES}. `keras.saving.load_model` reads a `.keras` file."
            )
        return folders.load_folder(cls, folder, load_weights, overrides)

    def save_to_preset(
        self,
        folder: PathLike,
        card: dict[str, Any] | None = None,
        half_precision: bool = False,
        discriminators: bool = True,
    ) -> None:
        """Write the networks to a folder for `from_preset`, without optimizers and image pools.

        The folder, in keras-hub's format, holds `config.json`, `metadata.json`, `model.weights.h5`
        (the generators, or their averages with `ema_momentum`), `discriminators.weights.h5` and the
        model card `README.md`. A preset that is already there is replaced when the new one is
        complete.

        Args:
            card: dict from headings to Markdown, for the model card: first `description`, then what
                you know of data, licence, recipe, scores and failures.
            half_precision: bool. Whether to store float16, for half the bytes; it loads as float32.
            discriminators: bool. Whether to store the discriminators too, for further training.

        Raises:
            ValueError: a weight is not finite, `from_preset` could not load a network's class, or
                there is something else than a preset in `folder`.
        """
        folders.save_folder(self, folder, card, half_precision, discriminators)
