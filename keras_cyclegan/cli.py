"""The command line: each command hands over to the module that does the work."""

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.presets import list_presets
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


class Direction(StrEnum):
    a_to_b = "a_to_b"
    b_to_a = "b_to_a"


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


@app.command()
def translate(
    source: Annotated[str, typer.Argument(help="An image, a folder, or a pattern in quotes.")],
    target: Annotated[Path, typer.Argument(help="A file for one image, else a folder.")],
    preset: Annotated[
        str, typer.Option(help="Built-in name, folder, hf://, kaggle:// or https://.")
    ],
    direction: Annotated[Direction, typer.Option()] = Direction.a_to_b,
    tile: Annotated[
        int | None, typer.Option(min=64, help="Translate larger images in tiles of this side.")
    ] = None,
    side_by_side: Annotated[bool, typer.Option(help="Write the image beside it.")] = False,
    skip_existing: Annotated[bool, typer.Option(help="Leave existing files alone.")] = False,
):
    """Translate images with a preset; exits with 1 if one couldn't be."""
    from rich.progress import track

    from keras_cyclegan.inference.files import plan_files, translate_files

    with clear_errors():
        pairs = plan_files(source, target)
        model = CycleGAN.from_preset(preset)
        results = translate_files(
            model,
            pairs,
            skip_existing,
            side_by_side,
            direction=direction.value,
            tile=tile,
        )
        failed = [
            (path, error)
            for path, _, error in track(results, "Translating", total=len(pairs))
            if error
        ]
    for path, error in failed:
        typer.secho(f"{path}: {error}", fg=typer.colors.RED, err=True)
    typer.echo(f"{len(pairs) - len(failed)} of {len(pairs)} images are at {target}")
    if failed:
        raise typer.Exit(1)


@app.command()
def export(
    preset: Annotated[
        str, typer.Argument(help="Built-in name, folder, hf://, kaggle:// or https://.")
    ],
    target: Annotated[Path, typer.Argument(help="Folder or file to write.")],
    format: Annotated[
        str, typer.Option(help="tf_saved_model, onnx, litert or openvino.")
    ] = "tf_saved_model",
    direction: Annotated[Direction | None, typer.Option(help="Default: both.")] = None,
    weights: Annotated[str, typer.Option(help="float32, float16 or int8.")] = "float32",
):
    """Write a preset's generators for a runtime without Keras."""
    with clear_errors():
        CycleGAN.from_preset(preset).export(
            target, format=format, direction=direction and direction.value, weights=weights
        )
    typer.echo(f"Wrote {target}")


@app.command()
def convert(
    a_to_b: Annotated[Path, typer.Argument(help="PyTorch generator A→B: latest_net_G_A.pth.")],
    out: Annotated[Path, typer.Argument(help="Preset folder to write.")],
    b_to_a: Annotated[Path | None, typer.Option("--b2a", help="latest_net_G_B.pth")] = None,
    discriminator_a: Annotated[
        Path | None, typer.Option("--d-a", help="Judges domain A: latest_net_D_B.pth.")
    ] = None,
    discriminator_b: Annotated[
        Path | None, typer.Option("--d-b", help="Judges domain B: latest_net_D_A.pth.")
    ] = None,
):
    """Convert checkpoints of the authors' PyTorch code to a preset, without torch."""
    from keras_cyclegan.presets import convert_checkpoints

    with clear_errors():
        convert_checkpoints(a_to_b, b_to_a, discriminator_a, discriminator_b).save_to_preset(out)
    typer.echo(f"Wrote {out}")


@app.command()
def presets():
    """List the built-in presets."""
    from rich.console import Console
    from rich.table import Table

    table = Table("preset", "description", "size", "parameters", "weights")
    for name, facts in list_presets().items():
        height, width = facts["native_size"]
        source = "ships" if facts["ships"] else "downloads"
        table.add_row(
            name, facts["description"], f"{height}×{width}", f"{facts['parameters']:,}", source
        )
    Console().print(table)


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
