"""The options of a training run, each written once for Python and for the command line."""

import dataclasses
from typing import Annotated

from keras_cyclegan.commands.choices import AUGMENTATIONS
from keras_cyclegan.commands.data_options import DataOptions
from keras_cyclegan.commands.loss_options import LossOptions
from keras_cyclegan.commands.network_options import NetworkOptions
from keras_cyclegan.commands.option_parser import Option, as_size, described_options


@dataclasses.dataclass(frozen=True)
class TrainingOptions(LossOptions, NetworkOptions, DataOptions):  # fields begin with the last one's
    """The options of a training run; the defaults are the paper's.

    Each field has its description beside it; `keras-cyclegan train --help` prints them.

    Raises:
        ValueError: a value is out of range; the message names the option.

    Example:

    ```python
    options = TrainingOptions("path/to/images", **keras_cyclegan.recipes.fast)
    ```
    """

    epochs: Annotated[
        int, Option("Epochs of the whole run; a finished run continues with more.", least=1)
    ] = 200
    steps_per_epoch: Annotated[
        int | None,
        Option("Default: as many as the larger domain has batches.", least=1),
    ] = None
    learning_rate: Annotated[
        float, Option("Rate of the generators' optimizer, before it falls.", least=0)
    ] = 2e-4
    discriminator_learning_rate: Annotated[
        float | None,
        Option("Rate of the discriminators' optimizer. Default: the generators' rate.", least=0),
    ] = None
    decay_epochs: Annotated[
        int | None,
        Option("Number of last epochs in which the rates fall. Default: half.", least=0),
    ] = None
    final_learning_rate: Annotated[
        float, Option("Rate of both optimizers at the end of the fall.", least=0)
    ] = 0.0
    clip_norm: Annotated[
        float | None,
        Option(
            "Largest norm of the gradients of both generators together, and of both "
            "discriminators. Default: no limit.",
            above=0,
        ),
    ] = None
    weight_penalty: Annotated[
        float, Option("Penalty on the squares of all weights, torch's weight decay.", least=0)
    ] = 0.0
    ema: Annotated[
        float | None,
        Option(
            "Momentum of running averages of the generators, 0.999 for example, which replace "
            "them in samples, translations and presets. Default: no averages.",
            above=0,
            below=1,
        ),
    ] = None
    accumulate: Annotated[
        int,
        Option("Steps for one update of the weights, as a batch so many times as large.", least=1),
    ] = 1
    remat: Annotated[
        bool,
        Option("Compute generators' passes again for their gradients: less memory, more time."),
    ] = False
    seed: Annotated[int, Option("Seed of weights, order, crops and pools.", least=0)] = 0

    checkpoint_minutes: Annotated[
        float, Option("Minutes from one checkpoint and preset to the next.", least=0)
    ] = 2.0
    checkpoint_steps: Annotated[
        int | None,
        Option("Steps from one checkpoint to the next. Default: only minutes count.", least=1),
    ] = None
    keep_checkpoints: Annotated[int, Option("Number of newest checkpoints kept.", least=1)] = 2
    half_precision: Annotated[bool, Option("Store presets in float16: half the bytes.")] = False
    scores: Annotated[
        str | None,
        Option(
            "Images to measure KID on: a folder with testA and testB; tfds:NAME; or glyphs. The "
            "scores go to history.jsonl, and the best preset is kept in best. Default: none.",
        ),
    ] = None
    scores_every: Annotated[int, Option("Epochs between two measurements.", least=1)] = 5

    distribute: Annotated[
        str | None,
        Option(
            "Share each batch between all devices of this machine, or all machines (JAX), which "
            "must share the run's folder. Default: one device.",
            choices=("devices", "machines"),
        ),
    ] = None

    def __post_init__(self):
        for name in ("image_size", "load_size"):
            object.__setattr__(self, name, as_size(getattr(self, name)))
        if isinstance(self.flip, bool):
            object.__setattr__(self, "flip", "horizontal" if self.flip else "none")
        for name in ("range_a", "range_b"):
            given = getattr(self, name)
            if isinstance(given, (tuple, list)):
                object.__setattr__(self, name, " ".join(map(str, given)))
        for name, (kind, optional, option) in described_options(type(self)).items():
            value = getattr(self, name)
            problem = option.problem(value, kind)
            if problem and not (optional and value is None):
                raise ValueError(f"`{name}` must be {problem}. Received {name}={value!r}.")
        if self.fresh_discriminators and self.init is None:
            raise ValueError("`fresh_discriminators` needs `init`, a preset to start from.")
        if self.final_cycle_weight is not None and not self.cycle_weight:
            raise ValueError("`final_cycle_weight` needs a `cycle_weight` above 0 to fall from.")
        for name in AUGMENTATIONS:
            if getattr(self, name) is not None and not self.augment:
                raise ValueError(
                    f"`{name}` needs `augment`, which says whether images are changed."
                )
        if self.cycle_decay_epochs is not None and self.final_cycle_weight is None:
            raise ValueError("`cycle_decay_epochs` needs a `final_cycle_weight` to fall to.")
        rates = {
            name: getattr(self, name) for name in ("learning_rate", "discriminator_learning_rate")
        }
        for name, rate in rates.items():
            if rate is not None and self.final_learning_rate > rate:
                raise ValueError(
                    f"Rates fall: `final_learning_rate` is at most `{name}`. Received "
                    f"{self.final_learning_rate} and {rate}."
                )
