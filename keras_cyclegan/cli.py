"""The command line: `keras-cyclegan train`, `quickstart`."""

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_cyclegan.training_run import TrainingOptions, train_run

app = typer.Typer(
    help="Unpaired image-to-image translation with CycleGAN.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Upsampling(StrEnum):
    transposed = "transposed"
    resize = "resize"


class Policy(StrEnum):
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


class OnError(StrEnum):
    stop = "raise"
    skip = "skip"


@app.callback()
def main():
    """Unpaired image-to-image translation with CycleGAN."""


@app.command()
def train(
    data: Annotated[
        str,
        typer.Argument(
            help="Folder with trainA, trainB (and testA, testB); tfds:NAME; or glyphs.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; given again, the run goes on.")],
    image_size: Annotated[
        int, typer.Option(help="Pixels, a multiple of 4.")
    ] = TrainingOptions.image_size,
    epochs: Annotated[int, typer.Option(min=1)] = TrainingOptions.epochs,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Default: images of the larger domain by the batch.")
    ] = TrainingOptions.steps_per_epoch,
    batch_size: Annotated[int, typer.Option(min=1)] = TrainingOptions.batch_size,
    filters: Annotated[
        int, typer.Option(min=1, help="Width of the generators.")
    ] = TrainingOptions.filters,
    blocks: Annotated[
        int | None, typer.Option(min=0, help="Residual blocks. Default: 9, or 6 below 256 pixels.")
    ] = TrainingOptions.blocks,
    upsampling: Annotated[Upsampling, typer.Option()] = Upsampling.transposed,
    discriminator_filters: Annotated[
        int, typer.Option(min=1)
    ] = TrainingOptions.discriminator_filters,
    discriminator_layers: Annotated[
        int, typer.Option(min=1)
    ] = TrainingOptions.discriminator_layers,
    identity_weight: Annotated[
        float, typer.Option(min=0, help="Weight of the identity loss; 0 for none.")
    ] = TrainingOptions.identity_weight,
    learning_rate: Annotated[float, typer.Option(min=0)] = TrainingOptions.learning_rate,
    decay_epochs: Annotated[
        int | None, typer.Option(min=0, help="Last epochs with falling rate. Default: half.")
    ] = TrainingOptions.decay_epochs,
    dtype: Annotated[Policy, typer.Option()] = Policy.float32,
    seed: Annotated[int, typer.Option(min=0)] = TrainingOptions.seed,
    checkpoint_minutes: Annotated[float, typer.Option(min=0)] = TrainingOptions.checkpoint_minutes,
    on_error: Annotated[OnError, typer.Option(help="What a bad image file does.")] = OnError.stop,
):
    """Train on two folders of images; run again with the same --out, it goes on."""
    options = locals()
    del options["out"]
    with clear_errors():
        train_run(out, TrainingOptions(**options))


@app.command()
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for all that is made.")] = Path("quickstart"),
    steps: Annotated[int, typer.Option(min=10, help="Training steps.")] = 1500,
):
    """The whole main job offline, in minutes: train on glyphs, score, translate, export, reload."""
    from keras_cyclegan.quickstart import run_quickstart

    with clear_errors():
        run_quickstart(out, steps)


@contextlib.contextmanager
def clear_errors():
    """Say what is wrong, without the stack: these errors are about what was given."""
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
