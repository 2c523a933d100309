"""The methods of `CycleGAN` for presets."""

from typing import Any, Self

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.presets import handles
from keras_cyclegan.presets.folder import save_to_preset
from keras_cyclegan.presets.table import list_presets


class _Presets:
    """`CycleGAN.presets`: the table of built-in presets, read when asked for."""

    def __get__(self, instance, owner):
        return list_presets()


class PresetMixin:
    """Presets, for `CycleGAN`."""

    presets = _Presets()

    @classmethod
    def from_preset(cls, preset: PathLike, load_weights: bool = True, **overrides: Any) -> Self:
        """Load a model by its preset: built in, from a folder, from a hub or from an archive.

        The folder format is keras-hub's. Its files are checked before they are used: the config may
        only name classes of this package and of Keras, and nothing in it is run.

        Args:
            preset: str. A built-in name (see `CycleGAN.presets`); the path of a local folder;
                `"hf://user/repo"`; `"kaggle://user/model/keras/variant"`; or `"https://…"`, a
                preset archive. Published checkpoints and archives are downloaded once and kept
                under `KERAS_HOME`.
            load_weights: bool, True by default. False gives the architecture with fresh weights,
                for built-in names without a download.
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
        return handles.from_preset(cls, preset, load_weights, overrides)

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
                you know of training data, its licence, recipe, scores and known failures. None, the
                default, for no such text.
            half_precision: bool, False by default. Whether to store float16, for half the bytes. It
                loads as float32.
            discriminators: bool, True by default. Whether to store the discriminators too. They are
                for further training, not for translating.

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
        save_to_preset(self, folder, card, half_precision, discriminators)
