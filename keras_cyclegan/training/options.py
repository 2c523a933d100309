"""The options of a training run, each written once for Python and for the command line."""

import dataclasses
from typing import Literal

from keras_cyclegan.training.data import DataOptions
from keras_cyclegan.training.losses import LossOptions
from keras_cyclegan.training.networks import NetworkOptions
from keras_cyclegan.training.optimisation import OptimisationOptions
from keras_cyclegan.training.option import check_values, option

SCORES = "Other images, to measure KID on: a folder of testA and testB; tfds:NAME; or glyphs."
LOG = "Logs beside history.jsonl: csv, tensorboard, wandb, or some with commas. Default: none."
DISTRIBUTE = "Share batches between devices, or (JAX) between machines that share the folder."


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What a run writes, when, and where it runs."""

    seed: int = option("Seed of weights, order, crops and pools.", 0, least=0)
    checkpoint_minutes: float = option("Between checkpoints.", 2.0, least=0, change="always")
    half_precision: bool = option("Presets in float16: half the bytes.", False, change="always")
    scores: str | None = option(SCORES, change="always")
    scores_every: int = option("Epochs between two measurements.", 5, least=1, change="always")
    early_stop: int | None = option(
        "Epochs without a lower KID that end the run.", least=1, needs="scores", change="always"
    )
    log: str | None = option(LOG, parts=("csv", "tensorboard", "wandb"), change="always")
    distribute: Literal["devices", "machines"] | None = option(DISTRIBUTE, change="always")


@dataclasses.dataclass(frozen=True)
class TrainingOptions(  # fields begin with the last one's
    RunOptions, OptimisationOptions, LossOptions, NetworkOptions, DataOptions
):
    """The options of a training run; the defaults are the paper's."""

    def __post_init__(self):
        self.bring_to_form()
        check_values(self)
