"""The command line. Each command calls the module that does the work.

A command imports what it needs only when it runs, so that help comes at once.
"""

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import keras_cyclegan
from keras_cyclegan.arguments import Direction, check_choice
from keras_cyclegan.commands.option_parser import Command, with_options_of
from keras_cyclegan.commands.terminal import clear_errors, plain_warnings, show_messages
from keras_cyclegan.quiet import import_keras_quietly
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.option import as_flag, as_size, sides_of
from keras_cyclegan.training.recipes import TABLES

app = typer.Typer(
    help="Unpaired image-to-image translation with CycleGAN.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's tables cut names off, and its markup drops text in […]
)


def show_version(wanted: bool):
    if wanted:
        typer.echo(keras_cyclegan.__version__)
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=show_version, help="Show the version."),
    ] = False,
):
    pass


def command(function):
    """Turn a function into a command that prints errors in one line, without the stack."""

    @functools.wraps(function)
    def run(**given):
        with clear_errors(given), plain_warnings(given):
            show_messages()
            import_keras_quietly()
            return function(**given)

    return app.command(cls=Command)(run)


Recipe = StrEnum("Recipe", list(TABLES))


class Domain(StrEnum):
    a = "a"
    b = "b"


class Split(StrEnum):
    test = "test"
    train = "train"


class Engine(StrEnum):
    local = "local"
    ray = "ray"


PRESET = "Built-in name, folder, hf://, kaggle:// or https://."
Preset = Annotated[str, typer.Option(help=PRESET)]
Tile = Annotated[
    int | None,
    typer.Option(
        min=64,
        help="Translate larger images in tiles of this side. Default: tiles if memory is short.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1, help="Largest image; raise it for files that you trust. Default: 60 megapixels."
    ),
]
WorkingSize = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Short side at which larger photos are translated; the change is brought to all of "
        "their pixels. 0 translates at their own size. Default: the preset's.",
    ),
]


@command
@with_options_of(TrainingOptions)
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run; an existing run is continued.")],
    recipe: Annotated[
        Recipe | None,
        typer.Option(
            help="Named set of options; options given as well take precedence. Default: paper."
        ),
    ] = None,
    adjust: Annotated[
        bool,
        typer.Option(
            help="Continue the run with another learning rate or --clip-norm, or other images."
        ),
    ] = False,
    slow_dtype: Annotated[
        bool, typer.Option(help="Train in a dtype that this processor emulates, too.")
    ] = False,
    **given,
):
    """Train on two folders of images, or go on with a run.

    Started again with the same --out, it continues from the newest checkpoint, with the options of
    the run where no others are given.
    """
    given = {name: value for name, value in given.items() if value is not None}
    images = given.pop("data", None)
    keras_cyclegan.train(images, out, recipe and recipe.value, adjust, slow_dtype, **given)


@command
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("quickstart"),
    steps: Annotated[int, typer.Option(min=10, help="Training steps.")] = 1500,
):
    """Try everything offline, in minutes, on two typefaces.

    It trains, scores, translates, exports and reloads, and draws a picture of what came of it.
    """
    from keras_cyclegan.commands.quickstart import run_quickstart

    run_quickstart(out, steps)


@command
def translate(
    source: Annotated[str, typer.Argument(help="An image, a folder, or a pattern in quotes.")],
    target: Annotated[Path, typer.Argument(help="A file for one image, else a folder.")],
    preset: Preset,
    direction: Annotated[Direction, typer.Option(help="From which domain.")] = Direction.A_TO_B,
    tile: Tile = None,
    working_size: WorkingSize = None,
    side_by_side: Annotated[bool, typer.Option(help="Write image and translation.")] = False,
    skip_existing: Annotated[bool, typer.Option(help="Leave existing files alone.")] = False,
    frozen: Annotated[
        bool,
        typer.Option(
            help="Translate a slide in one pass, with statistics of samples of its tissue; started "
            "again, it goes on where it was."
        ),
    ] = False,
    mpp: Annotated[
        float | None,
        typer.Option(
            min=0, help="With --frozen: microns per pixel at which to translate. Default: the most."
        ),
    ] = None,
    max_pixels: MaxPixels = None,
    engine: Annotated[
        Engine, typer.Option(help="ray: many processes, here or on a Ray cluster.")
    ] = Engine.local,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With ray. Default: as many as GPUs, or as CPUs.")
    ] = None,
):
    """Translate images with a preset.

    The exit status is 1 if one of them can't be translated; the others are, nevertheless.
    """
    from rich.progress import track

    from keras_cyclegan.inference.files import plan_files, translate_files

    if frozen:
        _translate_slide(source, target, preset, direction=direction, tile=tile or 512, mpp=mpp)
        return
    if mpp is not None:
        raise ValueError("--mpp goes with --frozen, which translates slides.")
    options = {"direction": direction, "tile": tile or "auto"}
    options["working_size"] = "auto" if working_size is None else working_size or None
    if max_pixels is not None:
        options["max_pixels"] = max_pixels
    if engine is Engine.ray:
        from keras_cyclegan.inference.ray_engine import import_ray, translate_files_on_ray

        import_ray()  # raises before a preset is downloaded if Ray is missing
        translate_files = translate_files_on_ray
        options["workers"] = workers
    elif workers is not None:
        raise ValueError("--workers goes with --engine ray. The local engine is one process.")
    pairs = plan_files(source, target)
    model = keras_cyclegan.CycleGAN.from_preset(preset)
    results = translate_files(model, pairs, skip_existing, side_by_side, **options)
    failed = [
        (path, error) for path, _, error in track(results, "Translating", total=len(pairs)) if error
    ]
    for path, error in sorted(failed, key=lambda failure: failure[0]):
        typer.secho(f"{path}: {error}", fg=typer.colors.RED, err=True)
    typer.echo(f"{len(pairs) - len(failed)} of {len(pairs)} images are at {target}")
    if failed:
        raise typer.Exit(1)


def _translate_slide(source, target, preset, **options):
    """Translate a slide with a bar that tells the time left."""
    from rich.progress import Progress

    from keras_cyclegan.inference.slides import translate_slide

    model = keras_cyclegan.CycleGAN.from_preset(preset)
    with Progress() as progress:
        bar = progress.add_task("Translating", total=None)
        for done, total in translate_slide(model, source, target, **options):
            progress.update(bar, completed=done, total=total)
    typer.echo(f"The translation is {target}")


@command
def evaluate(
    data: Annotated[str, typer.Argument(help="Folder with testA and testB; tfds:NAME; or glyphs.")],
    preset: Preset,
    extractor: Annotated[
        str | None,
        typer.Option(
            help="Features of KID and FID: inception, efficientnet-lite0, a name of "
            "keras.applications, a .keras file, or none. Default: the first available one.",
        ),
    ] = None,
    fid: Annotated[
        bool | None,
        typer.Option(help="FID beside KID. Default: if there are more images than features."),
    ] = None,
    paired: Annotated[
        bool | None,
        typer.Option(
            "--paired/--unpaired",
            help="Compare translations with their truth. Default: where file names agree.",
        ),
    ] = None,
    palette: Annotated[
        str | None, typer.Option(help="Label maps: facades, or a JSON file [[r, g, b], …].")
    ] = None,
    label_domain: Annotated[Domain, typer.Option(help="Domain of the label maps.")] = Domain.b,
    image_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Side that images are resized to, or HEIGHTxWIDTH. Default: that of the preset's "
            "training.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which images of the data.")] = Split.test,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Your own network, asked before and after: a .keras or .onnx file, or a name in "
            "keras.applications."
        ),
    ] = None,
    judge_range: Annotated[
        tuple[float, float], typer.Option(help="What black and white are to the judge.")
    ] = (-1.0, 1.0),
    labels: Annotated[
        Path | None,
        typer.Option(help="Folder of what the judge should say: sub-folders as classes, or maps."),
    ] = None,
    score_channels: Annotated[
        str | None,
        typer.Option(help="Channels that KID and FID see of other images than RGB: 0,1,2 or 0."),
    ] = None,
    max_pixels: MaxPixels = None,
    out: Annotated[Path, typer.Option(help="JSON file of the scores.")] = Path("evaluation.json"),
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with scores and pictures.")
    ] = None,
):
    """Score a preset, both ways, against untranslated images."""
    from rich.console import Console

    from keras_cyclegan import evaluation

    colours = evaluation.read_palette(palette)
    model = keras_cyclegan.CycleGAN.from_preset(preset)
    found = evaluation.evaluate(
        model,
        data,
        extractor=extractor,
        fid=fid,
        paired=paired,
        palette=colours,
        label_domain=label_domain.value,
        image_size=sides_of(as_size(image_size)),
        split=split.value,
        judge=judge,
        judge_range=judge_range,
        labels=labels,
        score_channels=score_channels and tuple(map(int, score_channels.split(","))),
        **({} if max_pixels is None else {"max_pixels": max_pixels}),
    )
    evaluation.write_json(found, out, preset)
    page = report and evaluation.write_report(found, model, report, preset)
    evaluation.print_scores(found, Console())
    typer.echo(f"Wrote {out}" + (f" and {page}" if page else ""))


@command
def check(
    data: Annotated[
        str, typer.Argument(help="Folder with trainA, trainB; tfds:NAME; or the images of A.")
    ],
    data_b: Annotated[str | None, typer.Argument(help="The images of B.")] = None,
    channels_a: Annotated[int, typer.Option(min=1, help="Channels of domain A.")] = 3,
    channels_b: Annotated[int, typer.Option(min=1, help="The same for domain B.")] = 3,
    features: Annotated[
        str | None,
        typer.Option(
            help="What the probe sees: network (EfficientNet-Lite0) or statistics (colours, edges, "
            "JPEG blocks). Default: network, if it is installed.",
        ),
    ] = None,
    max_pixels: MaxPixels = None,
    out: Annotated[Path, typer.Option(help="Page of what was found.")] = Path("check.html"),
):
    """Look at the images before hours are spent on them.

    It counts sizes, bits, ranges, unreadable and equal files, and shows what tells A from B.
    """
    from keras_cyclegan.check import check_data, write_page
    from keras_cyclegan.check.page import table

    if features is not None:
        check_choice("features", features, ("network", "statistics"))
    source = data if data_b is None else (data, data_b)
    given = {} if max_pixels is None else {"max_pixels": max_pixels}
    checked = check_data(source, (channels_a, channels_b), features, **given)
    for title, count, unreadable, sizes, pixels, values, _ in table(checked):
        typer.echo(f"{title}: {count} images, {unreadable} unreadable, {sizes}, {pixels}, {values}")
    if checked.probe:
        typer.echo(
            f"A linear probe on {checked.probe.features} tells A from B in "
            f"{checked.probe.accuracy:.0%} of images (50 % is chance)."
        )
    for warning in checked.warnings:
        typer.secho(f"Look: {warning}", fg=typer.colors.YELLOW)
    write_page(checked, out, data)
    typer.echo(f"Wrote {out}")


@command
def export(
    preset: Annotated[str, typer.Argument(help=PRESET)],
    target: Annotated[Path, typer.Argument(help="Folder or file to write.")],
    format: Annotated[
        str, typer.Option(help="tf_saved_model, onnx, litert or openvino.")
    ] = "tf_saved_model",
    direction: Annotated[
        Direction | None, typer.Option(help="From which domain. Default: both.")
    ] = None,
    weights: Annotated[str, typer.Option(help="float32, float16 or int8.")] = "float32",
):
    """Write a preset's generators for a runtime without Keras."""
    keras_cyclegan.CycleGAN.from_preset(preset).export(
        target, format=format, direction=direction, weights=weights
    )
    typer.echo(f"Wrote {target}")


@command
def demo(
    preset: Preset,
    examples: Annotated[
        Path | None,
        typer.Option(help="Folder of images to try, or with folders a and b for the domains."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 opens it to the network.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free from 7860 on.")
    ] = None,
    max_megabytes: Annotated[float, typer.Option(min=0, help="Largest file taken.")] = 20,
    max_megapixels: Annotated[
        float | None,
        typer.Option(
            min=0, help="Largest image taken. Default: 60 if photos have a working size, else 4."
        ),
    ] = None,
    tile: Tile = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Another host name for this machine in browsers; repeatable."),
    ] = None,
):
    """Translate in the browser.

    Drop an image there, and see its translation and its round trip.
    """
    from keras_cyclegan.commands.demo import launch_demo

    launch_demo(
        preset,
        announce=lambda url: typer.echo(f"{preset}: {url} (Ctrl-C ends it)"),
        examples=examples,
        host=host,
        port=port,
        max_megabytes=max_megabytes,
        max_megapixels=max_megapixels,
        tile=tile or "auto",
        allowed_hosts=allowed_host or (),
    )


@command
def convert(
    a_to_b: Annotated[Path, typer.Argument(help="PyTorch generator A→B: latest_net_G_A.pth.")],
    out: Annotated[Path, typer.Argument(help="Preset folder to write.")],
    b_to_a: Annotated[Path | None, typer.Option(help="Generator B→A: latest_net_G_B.pth.")] = None,
    discriminator_a: Annotated[
        Path | None, typer.Option(help="Judges domain A: latest_net_D_B.pth.")
    ] = None,
    discriminator_b: Annotated[
        Path | None, typer.Option(help="Judges domain B: latest_net_D_A.pth.")
    ] = None,
):
    """Convert checkpoints of the authors' code, without torch.

    The result is a preset, which all other commands take.
    """
    from keras_cyclegan.presets.convert import conversion_card, convert_checkpoints

    paths = {
        "a_to_b": a_to_b,
        "b_to_a": b_to_a,
        "discriminator_a": discriminator_a,
        "discriminator_b": discriminator_b,
    }
    model = keras_cyclegan.CycleGAN(**convert_checkpoints(**paths))
    model.save_to_preset(out, card=conversion_card(**paths))
    typer.echo(f"Wrote {out}")


@command
def presets():
    """List the built-in presets."""
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("preset", no_wrap=True), "description", "size", "parameters", "weights")
    for name, facts in keras_cyclegan.list_presets().items():
        height, width = facts["native_size"]
        source = "ships" if facts["ships"] else "downloads"
        table.add_row(
            name, facts["description"], f"{height}×{width}", f"{facts['parameters']:,}", source
        )
    Console().print(table)


@app.command()
def recipes():
    """List the recipes of `train` with their options."""
    from rich.console import Console
    from rich.table import Table

    table = Table("recipe", "options")
    for name, options in TABLES.items():
        table.add_row(name, " ".join(as_flag(*option) for option in options.items()))
    Console().print(table)


if __name__ == "__main__":
    app()
