"""The command line: `keras-cyclegan train`, `quickstart`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# TensorFlow's notes on its own build are no concern of someone who runs a command.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

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
    image_size: Annotated[int, typer.Option(help="Pixels, a multiple of 4.")] = 256,
    epochs: Annotated[int, typer.Option(min=1)] = 200,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Default: images of the larger domain by the batch.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 1,
    filters: Annotated[int, typer.Option(min=1, help="Width of the generators.")] = 64,
    blocks: Annotated[
        int | None, typer.Option(min=0, help="Residual blocks. Default: 9, or 6 below 256 pixels.")
    ] = None,
    upsampling: Annotated[Upsampling, typer.Option()] = Upsampling.transposed,
    discriminator_filters: Annotated[int, typer.Option(min=1)] = 64,
    discriminator_layers: Annotated[int, typer.Option(min=1)] = 3,
    identity_weight: Annotated[
        float, typer.Option(min=0, help="Weight of the identity loss; 0 for none.")
    ] = 5.0,
    learning_rate: Annotated[float, typer.Option(min=0)] = 2e-4,
    decay_epochs: Annotated[
        int | None, typer.Option(min=0, help="Last epochs with falling rate. Default: half.")
    ] = None,
    dtype: Annotated[Policy, typer.Option()] = Policy.float32,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(min=0)] = 5.0,
    on_error: Annotated[OnError, typer.Option(help="What a bad image file does.")] = OnError.stop,
):
    """Train on two folders of images; run again with the same --out, it goes on."""
    from keras_cyclegan.training_run import train_run

    options = {
        name: value.value if isinstance(value, StrEnum) else value
        for name, value in locals().items()
        if name not in ("out", "train_run")
    }
    try:
        train_run(out, options)
    except (ValueError, OSError) as error:
        fail(error)


def fail(error):
    """Say what is wrong, without the stack: these errors are about what was given."""
    typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
