"""Shows an evaluation: as a table, as JSON, and as one HTML page without other files."""

import base64
import dataclasses
import functools
import io
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.pixels import as_pictures
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for

BETTER = {"lower": " ↓", "higher": " ↑", None: ""}
SAMPLES = 8  # rows of the grid, spread evenly over the set
WORST = 4


def score_rows(evaluation):
    """Return each score's name, and for each direction its value, baseline and verdict as texts."""
    rows = {}
    for score in evaluation.measured:
        rows.setdefault(score.name + BETTER[score.better], {})[score.direction] = score
    directions = evaluation.round_trips
    return [(name, [cell(row.get(d)) for d in directions]) for name, row in rows.items()]


def cell(measured):
    """Format a score and its baseline, and say which is better; what there isn't is a dash."""
    scores = (measured.translated, measured.untranslated) if measured else (None, None)
    value, baseline = ("–" if score is None else f"{score.value:.4g}" for score in scores)
    if None in scores or measured.better is None or value == baseline:
        return value, baseline, ""
    is_lower = scores[0] < scores[1]
    return value, baseline, "better" if is_lower == (measured.better == "lower") else "worse"


def protocol_lines(evaluation):
    """Return `(what, how)`: the conditions that all scores share, then each score's own."""
    own = {score.name: {} for score in evaluation.measured}
    for score in evaluation.measured:  # directions differ at most in the number of images
        for key, value in score.translated.protocol.items():
            if key != "metric" and evaluation.conditions.get(key) != value:
                own[score.name][f"{key}: {value}"] = True
    return [*evaluation.conditions.items(), *((name, "; ".join(how)) for name, how in own.items())]


def print_scores(evaluation: Any, console: Any) -> None:
    """Print the scores of an `evaluation`, and how they were measured, to a `rich` `console`."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("", title="Scores (↓ lower is better, ↑ higher is better)")
    for direction in evaluation.round_trips:
        table.add_column(direction.arrow, justify="right", style="bold")
        table.add_column("untranslated", justify="right", style="dim")
    for name, cells in score_rows(evaluation):
        table.add_row(name, *(text for one in cells for text in one[:2]))
    console.print(table)
    for direction, judged in evaluation.judged.items():
        table = Table("class", title=f"The judge's right answers, {direction.arrow}, worst first")
        for title in ("images or pixels", "translated", "untranslated"):
            table.add_column(title, justify="right")
        for row in judged.classes:
            shares = [row["translated"], row["untranslated"]]
            shown = ("–" if share is None else f"{share:.1%}" for share in shares)
            table.add_row(escape(row["name"]), f"{row['count']:,}", *shown)
        console.print(table)
    for what, how in protocol_lines(evaluation):
        console.print(f"[bold]{escape(what)}[/bold]: {escape(how)}", highlight=False)
    for note in evaluation.notes:
        console.print(f"[yellow]Note:[/yellow] {escape(note)}", highlight=False)


def write_json(evaluation: Any, path: PathLike, preset: str) -> None:
    """Write every score of an `evaluation` of a `preset`, its protocol and the notes to `path`."""
    from keras_cyclegan import __version__

    scores = [dataclasses.asdict(score) for score in evaluation.measured]
    for score in (one[share] for one in scores for share in ("translated", "untranslated")):
        if score and not math.isfinite(score["value"]):  # PSNR of equal images, which JSON hasn't
            score["value"] = str(score["value"])
    content = {
        "preset": preset,
        "images": {"a": len(evaluation.sets.a), "b": len(evaluation.sets.b)},
        "paired": evaluation.sets.paired,
        "scores": scores,
        "judged": {d: dataclasses.asdict(judged) for d, judged in evaluation.judged.items()},
        "notes": evaluation.notes,
        "versions": {"keras-cyclegan": __version__, "keras": keras.__version__},
    }
    with atomic_file(path) as unfinished:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def write_report(evaluation: Any, model: Any, folder: PathLike, preset: str) -> Path:
    """Write `index.html` into a `folder`: scores, samples, worst round trips, the protocol.

    `model` is the `CycleGAN` of the `evaluation`, `preset` its name, for the title.
    """
    from keras_cyclegan import __version__

    path = Path(folder) / "index.html"
    write_page(
        path,
        "keras_cyclegan.scores",
        "report.html",
        evaluation=evaluation,
        preset=preset,
        version=__version__,
        rows=score_rows(evaluation),
        directions=[_shown(evaluation, model, direction) for direction in evaluation.round_trips],
        protocol=protocol_lines(evaluation),
    )
    return path


def write_page(path, package, template, **values):
    """Fill in a template of a package, escaping what isn't its own, and write the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(package, ".")
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    page = templates.get_template(template).render(**values)
    with atomic_file(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _shown(evaluation, model, direction):
    """Collect what is shown of one direction: samples, its worst, the judge's answers."""
    strips = functools.partial(_strips, evaluation, model, direction)
    translated, errors, _ = evaluation.round_trips[direction]
    judged = evaluation.judged.get(direction)
    wrong = [row for row in judged.images[:WORST] if row["right"] < 1] if judged else []
    answers = [
        f"{row['answer']}, not {row['label']}"
        if row["label"] is not None
        else f"{row['right']:.0%} of pixels right"
        for row in wrong
    ]
    return {
        "arrow": direction.arrow,
        "masks": hasattr(generator_for(model, direction), "attention_network"),
        "samples": strips(np.unique(np.linspace(0, len(translated) - 1, SAMPLES).round())),
        "worst": [] if errors is None else strips(np.argsort(-errors)[:WORST]),
        "judged": judged,
        "most_wrong": wrong and strips([row["index"] for row in wrong], answers),
    }


def _strips(evaluation, model, direction, indices, texts=None):
    """Make a row of pictures for each index, with its text: the cycle error, if None is given."""
    indices = np.asarray(indices, int)
    source, target = direction.source, direction.target
    errors = evaluation.round_trips[direction].cycle_error
    generator, pixels = generator_for(model, direction), evaluation.formats[source]
    images = getattr(evaluation.sets, source)[indices]
    real = pixels.to_unit(images)
    fake = runner(generator)(real)
    columns = {"input": real}
    if hasattr(generator, "attention_network"):  # white is painted
        columns["mask"] = 2.0 * keras.ops.convert_to_numpy(generator.foreground(real)) - 1.0
    columns["translation"] = fake
    if errors is not None:
        columns["round trip"] = runner(generator_for(model, direction.opposite))(fake)
        texts = texts or [f"cycle error {error:.3f}" for error in errors[indices]]
    if str(direction) in model.doubt:  # white is doubtful
        _, doubts = model.translate(images, direction, return_doubt=True)
        columns["doubt"] = np.stack([2 * doubt.map - 1 for doubt in doubts])
    if evaluation.sets.paired:
        truth = getattr(evaluation.sets, target)[indices]
        columns["ground truth"] = evaluation.formats[target].to_unit(truth)
    shown = {title: as_pictures(column) for title, column in columns.items()}
    return [
        {
            "name": evaluation.names[source][index],
            "error": texts and texts[row],
            "pictures": [(title, picture(column[row])) for title, column in shown.items()],
        }
        for row, index in enumerate(indices)
    ]


def picture(image):
    """Encode a uint8 image as a `data:` address of a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
