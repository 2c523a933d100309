"""The command line. Each command calls the module that does the work.

A command imports what it needs only when it runs, so that help comes at once.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import typer

import keras_cyclegan
from keras_cyclegan.arguments import Direction
from keras_cyclegan.commands import parser
from keras_cyclegan.recipes import TABLES
from keras_cyclegan.training.option import as_flag, as_size, sides_of

app = typer.Typer(
    help="Unpaired image-to-image translation with CycleGAN.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's tables cut names off, and its markup drops text in […]
)
command = parser.command(app)


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


def given(**options):
    """Leave out what wasn't given."""
    return {name: value for name, value in options.items() if value is not None}


@command
def train(
    *, out: Path, recipe: Literal[tuple(TABLES)] | None = None, adjust: bool = False, **options
):
    """Train on two folders of images, or go on with a run.

    Started again with the same --out, it continues from the newest checkpoint, with the options of
    the run where no others are given.

    Args:
        out: Folder of the run; an existing run is continued.
        recipe: Named set of options; options given as well take precedence. Default: paper.
        adjust: Continue the run with another learning rate or --clip-norm, or other images.
    """
    images = options.pop("data")
    keras_cyclegan.train(images, out, recipe, adjust, **given(**options))


@command
def quickstart(*, out: Path = Path("quickstart"), steps: int = 500):
    """Try everything offline, in minutes, on two typefaces.

    It trains, scores, translates, exports and reloads, and draws a picture of what came of it.

    Args:
        out: Folder for the results.
        steps: Training steps.
    """
    from keras_cyclegan.commands.quickstart import run_quickstart

    run_quickstart(out, steps)


@command
def translate(
    source: str,
    target: Path,
    *,
    preset: str,
    direction: Direction = Direction.A_TO_B,
    tile: int | None = None,
    working_size: int | None = None,
    strength: float = 1.0,
    side_by_side: bool = False,
    skip_existing: bool = False,
    sheet: Path | None = None,
    doubt: bool = False,
    masks: Path | None = None,
    frozen: bool = False,
    mpp: float | None = None,
    max_pixels: int | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
):
    """Translate images with a preset.

    The exit status is 1 if one of them can't be translated; the others are, nevertheless.

    Args:
        source: An image, a folder, or a pattern in quotes.
        target: A file for one image, else a folder.
        direction: From which domain.
        strength: Factor of what a generator with a skip from its input changes: above 1 for more.
        side_by_side: Write image and translation.
        skip_existing: Leave existing files alone.
        sheet: Picture to write as well: the first 32 images beside their translations.
        doubt: Write NAME.doubt.png as well, white where the translation is least to be trusted.
        masks: Folder of masks, with a file of each image's name, black where it stays as it is.
        frozen: Translate a slide in one pass, with statistics of samples of its tissue; started
            again, it goes on where it was.
        mpp: With --frozen: microns per pixel at which to translate. Default: the most.
        engine: ray: many processes, here or on a Ray cluster.
        workers: With ray. Default: as many as GPUs, or as CPUs.
    """
    from keras_cyclegan.inference.files import plan_files, translate_files, write_sheet

    if engine == "local" and workers is not None:
        raise ValueError("--workers goes with --engine ray. The local engine is one process.")
    if frozen:
        if sheet or side_by_side or masks or doubt or working_size or max_pixels:
            raise ValueError(
                "--sheet, --side-by-side, --masks, --doubt, --working-size and --max-pixels can't "
                "go with --frozen: a slide is translated part by part, into a pyramid."
            )
        if skip_existing and target.exists():
            return
        options = {"direction": direction, "tile": tile or 512, "mpp": mpp}
        options |= {"engine": engine, "workers": workers}
        _translate_slide(source, target, preset, strength, **options)
        return
    if mpp is not None:
        raise ValueError("--mpp goes with --frozen, which translates slides.")
    options = given(direction=direction, tile=tile or "auto", max_pixels=max_pixels)
    options["working_size"] = "auto" if working_size is None else working_size or None
    options |= {"return_doubt": doubt, "masks": masks}
    options |= {"skip_existing": skip_existing, "side_by_side": side_by_side}
    if engine == "ray":
        from keras_cyclegan.inference.ray_engine import import_ray, translate_files_on_ray

        import_ray()  # raises before a preset is downloaded if Ray is missing
        translate_files = translate_files_on_ray
        options["workers"] = workers
    pairs = plan_files(source, target)
    model = keras_cyclegan.CycleGAN.from_preset(preset)
    model.strengthen(**{str(direction): strength})
    failed = []
    with _bar() as show:
        show(0, len(pairs))
        results = translate_files(model, pairs, **options)
        for i, (path, _, error) in enumerate(results, 1):
            failed += [(path, error)] if error else []
            show(i, len(pairs))
    if sheet:
        write_sheet(sheet, model, pairs, direction)
    for path, error in sorted(failed, key=lambda failure: failure[0]):
        typer.secho(f"{path}: {error}", fg=typer.colors.RED, err=True)
    typer.echo(f"{len(pairs) - len(failed)} of {len(pairs)} images are at {target}")
    if failed:
        raise typer.Exit(1)


def _translate_slide(source, target, preset, strength, **options):
    from keras_cyclegan.inference.slides import translate_slide

    model = keras_cyclegan.CycleGAN.from_preset(preset)
    model.strengthen(**{str(options["direction"]): strength})
    with _bar() as show:
        for done, total in translate_slide(model, source, target, **options):
            show(done, total)
    typer.echo(f"The translation is {target}")


@contextlib.contextmanager
def _bar():
    """Show a bar with the time left, and one for a large image's tiles; yield how to move it."""
    from rich.progress import Progress

    from keras_cyclegan.inference import tiles

    with Progress() as progress:
        bar = progress.add_task("Translating", total=None)
        large = progress.add_task("  its tiles", visible=False)

        def show_tiles(done, total):
            progress.update(large, completed=done, total=total, visible=done < total)

        token = tiles.progress.set(show_tiles)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
        tiles.progress.reset(token)


@command
def evaluate(
    data: str,
    *,
    preset: str,
    extractor: str | None = None,
    fid: bool | None = None,
    paired: bool | None = None,
    palette: str | None = None,
    label_domain: Literal["a", "b"] = "b",
    image_size: str | None = None,
    split: Literal["test", "train"] = "test",
    judge: str | None = None,
    judge_range: tuple[float, float] = (-1.0, 1.0),
    labels: Path | None = None,
    score_channels: str | None = None,
    max_pixels: int | None = None,
    out: Path = Path("evaluation.json"),
    report: Path | None = None,
):
    """Score a preset, both ways, against untranslated images.

    Args:
        data: Folder with testA and testB; tfds:NAME; or glyphs.
        extractor: Features of KID and FID: inception, efficientnet-lite0, a .keras file, or none.
            Default: the first available one.
        fid: FID beside KID. Default: if there are more images than features.
        paired: Compare translations with their truth. Default: where file names agree.
        palette: Label maps: facades, or a JSON file [[r, g, b], …].
        label_domain: Domain of the label maps.
        image_size: Side that images are resized to, or HEIGHTxWIDTH. Default: the preset's.
        split: Which images of the data.
        judge: Your network, asked before and after: .keras, .onnx, or one of keras.applications.
        judge_range: What black and white are to the judge.
        labels: Folder of what the judge should say: sub-folders as classes, or maps.
        score_channels: Channels that KID and FID see of other images than RGB: 0,1,2 or 0.
        out: JSON file of the scores.
        report: Folder for a page with scores and pictures.
    """
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
        label_domain=label_domain,
        image_size=sides_of(as_size(image_size)),
        split=split,
        judge=judge,
        judge_range=judge_range,
        labels=labels,
        score_channels=score_channels and tuple(map(int, score_channels.split(","))),
        **given(max_pixels=max_pixels),
    )
    evaluation.write_json(found, out, preset)
    page = report and evaluation.write_report(found, model, report, preset)
    evaluation.print_scores(found, Console())
    if found.sets.paired and paired is None:
        typer.echo("Pairs are equal file names: --unpaired, if these show different things.")
    typer.echo(f"Wrote {out}" + (f" and {page}" if page else ""))


@command
def check(
    data: str,
    data_b: str | None = None,
    *,
    channels_a: int = 3,
    channels_b: int = 3,
    max_pixels: int | None = None,
    out: Path = Path("check.html"),
):
    """Look at the images before hours are spent on them.

    It counts sizes, bits, ranges, unreadable and equal files, and shows what tells A from B.

    Args:
        data: Folder with trainA, trainB; tfds:NAME; or the images of A.
        data_b: The images of B.
        channels_a: Channels of domain A.
        channels_b: The same for domain B.
        out: Page of what was found.
    """
    from keras_cyclegan.check import check_data, write_page
    from keras_cyclegan.check.page import table

    source = data if data_b is None else (data, data_b)
    checked = check_data(source, (channels_a, channels_b), **given(max_pixels=max_pixels))
    for title, count, unreadable, sizes, pixels, values, _ in table(checked):
        typer.echo(f"{title}: {count} images, {unreadable} unreadable, {sizes}, {pixels}, {values}")
    if checked.probe:
        typer.echo(
            f"A linear probe on maps of EfficientNet-Lite0 tells A from B in "
            f"{checked.probe.accuracy:.0%} of images (50 % is chance)."
        )
    for warning in checked.warnings:
        typer.secho(f"Look: {warning}", fg=typer.colors.YELLOW)
    write_page(checked, out, data)
    typer.echo(f"Wrote {out}")


@command
def export(
    preset: str,
    target: Path,
    *,
    format: str = "tf_saved_model",
    direction: Direction | None = None,
    weights: str = "float32",
    working_size: int | None = None,
):
    """Write a preset's generators for a runtime without Keras.

    Args:
        target: Folder or file to write.
        format: tf_saved_model, onnx, litert or openvino.
        direction: From which domain. Default: both.
        weights: float32, float16 or int8.
    """
    options = {"format": format, "direction": direction, "weights": weights}
    options["working_size"] = "auto" if working_size is None else working_size or None
    keras_cyclegan.CycleGAN.from_preset(preset).export(target, **options)
    typer.echo(f"Wrote {target}")


@command
def demo(
    *,
    preset: str,
    examples: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    max_megapixels: float | None = None,
    allowed_host: list[str] | None = None,
):
    """Translate in the browser.

    Drop an image there, and see its translation and its round trip.

    Args:
        examples: Folder of images to try, or with folders a and b for the domains.
        host: Address to listen at; 0.0.0.0 opens it to the network, under this machine's name.
        port: Default: the first free from 7860 on.
        max_megapixels: Largest image taken. Default: 61 if photos have a working size, else 4.
        allowed_host: Another name or address of this machine in browsers; repeatable.
    """
    from keras_cyclegan.commands.demo import launch_demo

    launch_demo(preset, examples, host, port, max_megapixels, allowed_host or ())


@command
def convert(
    a_to_b: Path,
    out: Path,
    *,
    b_to_a: Path | None = None,
    discriminator_a: Path | None = None,
    discriminator_b: Path | None = None,
):
    """Convert checkpoints of the authors' code, without torch.

    The result is a preset, which all other commands take.

    Args:
        a_to_b: PyTorch generator A→B: latest_net_G_A.pth.
        out: Preset folder to write.
        b_to_a: Generator B→A: latest_net_G_B.pth.
        discriminator_a: Judges domain A: latest_net_D_B.pth.
        discriminator_b: Judges domain B: latest_net_D_A.pth.
    """
    from keras_cyclegan.presets.convert import convert_checkpoints

    paths = a_to_b, b_to_a, discriminator_a, discriminator_b
    model = keras_cyclegan.CycleGAN(**convert_checkpoints(*paths))
    names = ", ".join(f"`{path.name}`" for path in paths if path)
    model.save_to_preset(out, card={"description": f"A CycleGAN, converted from {names}."})
    typer.echo(f"Wrote {out}")


@command
def presets():
    """List the built-in presets."""
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("preset", no_wrap=True), "description", "size", "parameters", "weights")
    for name, facts in keras_cyclegan.list_presets().items():
        size = "{}×{}".format(*facts["native_size"])
        source = "ships" if facts["ships"] else "downloads"
        table.add_row(name, facts["description"], size, f"{facts['parameters']:,}", source)
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
