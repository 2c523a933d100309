"""The optimizers of a run: rates, their schedule, the length, averages, memory."""

import dataclasses
from typing import Literal

from keras_cyclegan.training.losses import make_losses
from keras_cyclegan.training.option import option

EMA = "Momentum of averages of the generators, 0.999 for example, which presets get. Default: none."
WARMUP = "First steps, in which only the discriminators learn: for new ones with `init`."


@dataclasses.dataclass(frozen=True)
class OptimisationOptions:
    """How long and how fast the networks learn."""

    epochs: int = option("Epochs; a finished run goes on with more.", 200, least=1, change="length")
    steps_per_epoch: int | None = option("Default: the larger domain's batches.", least=1)
    learning_rate: float = option("Rate of the generators.", 0.0002, least=0, change="adjust")
    discriminator_learning_rate: float | None = option(
        "Rate of the discriminators. Default: the generators'.", least=0, change="adjust"
    )
    schedule: Literal["linear", "cosine", "constant"] = option(
        "How the rates fall.", "linear", change="adjust"
    )
    decay_epochs: int | None = option(
        "Last epochs, in which they fall. Default: half; cosine: all.", least=0, change="length"
    )
    final_learning_rate: float = option("Their end.", 0.0, least=0, change="adjust")
    discriminator_warmup: int = option(WARMUP, 0, least=0)
    clip_norm: float | None = option("Largest norm of gradients.", above=0, change="adjust")
    weight_penalty: float = option("Penalty on the squares of all weights.", 0.0, least=0)
    ema: float | None = option(EMA, above=0, below=1)
    accumulate: int = option("Steps for one update, as a batch so much larger.", 1, least=1)
    remat: bool = option("Recompute activations in the backward pass.", False, change="always")


def compile_model(model, options):
    """Compile the model with the losses and the optimizers of the options."""
    from keras_cyclegan.optimizers import CosineDecay, LinearDecay, paper_adam

    makes = CosineDecay if options.schedule == "cosine" else LinearDecay

    def adam(rate, held_steps=0):
        schedule = makes(
            rate,
            decay_epochs=0 if options.schedule == "constant" else options.decay_epochs,
            final_learning_rate=options.final_learning_rate,
            held_steps=held_steps,
        )
        return paper_adam(schedule, options.clip_norm, options.weight_penalty, options.accumulate)

    rate, discriminator_rate = options.learning_rate, options.discriminator_learning_rate
    model.compile(
        adam(rate, options.discriminator_warmup),
        adam(rate if discriminator_rate is None else discriminator_rate),
        **make_losses(options),
        ema_momentum=options.ema,
        remat=options.remat,
    )
