"""The options of a training run, each written once for Python and for the command line."""

import dataclasses

from keras_cyclegan.training.data import DataOptions
from keras_cyclegan.training.losses import LossOptions
from keras_cyclegan.training.networks import NetworkOptions
from keras_cyclegan.training.optimisation import OptimisationOptions
from keras_cyclegan.training.option import check_values, option


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What a run writes, when, and where it runs."""

    seed: int = option(0, "Seed of weights, order, crops and pools.", least=0)
    checkpoint_minutes: float = option(
        2.0, "Minutes from one checkpoint and preset to the next.", least=0, change="always"
    )
    checkpoint_steps: int | None = option(
        None,
        "Steps from one checkpoint to the next. Default: only minutes count.",
        least=1,
        change="always",
    )
    keep_checkpoints: int = option(
        2, "Number of newest checkpoints kept.", least=1, change="always"
    )
    half_precision: bool = option(
        False, "Store presets in float16: half the bytes.", change="always"
    )
    scores: str | None = option(
        None,
        "Images to measure KID on: a folder with testA and testB; tfds:NAME; or glyphs. The "
        "scores go to history.jsonl, and the best preset is kept in best. Default: none.",
        change="always",
    )
    scores_every: int = option(5, "Epochs between two measurements.", least=1, change="always")
    distribute: str | None = option(
        None,
        "Share each batch between all devices of this machine, or all machines (JAX), which "
        "must share the run's folder. Default: one device.",
        choices=("devices", "machines"),
        change="always",
    )


@dataclasses.dataclass(frozen=True)
class TrainingOptions(  # fields begin with the last one's
    RunOptions, OptimisationOptions, LossOptions, NetworkOptions, DataOptions
):
    """The options of a training run; the defaults are the paper's.

    Each field has its description beside it; `keras-cyclegan train --help` prints them.

    Raises:
        ValueError: a value is out of range; the message names the option.

    Example:

    ```python
    options = TrainingOptions("path/to/images", **keras_cyclegan.recipes.fast)
    ```
    """

    def __post_init__(self):
        DataOptions.__post_init__(self)
        check_values(self)
        super().__post_init__()


GROUPS = {
    "Data": DataOptions,
    "Networks": NetworkOptions,
    "Losses": LossOptions,
    "Optimisation": OptimisationOptions,
    "Run": RunOptions,
}


def group_of(name):
    """Return the title of the group to which an option belongs."""
    return next(title for title, part in GROUPS.items() if name in part.__annotations__)
