"""Prints an evaluation as a table, and writes it as JSON."""

import dataclasses
import json
import math
from typing import Any

import keras
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.files.atomic import atomic_file

SHARES = ("translated", "untranslated")
BETTER = {"lower": " ↓", "higher": " ↑", None: ""}


def score_rows(evaluation):
    """Return `(name, better, {direction: Measured})` of each score, in order."""
    rows = {}
    for score in evaluation.measured:
        row = rows.setdefault(score.name, (score.name, score.better, {}))
        row[2][score.direction] = score
    return list(rows.values())


def print_scores(evaluation: Any, console: Console) -> None:
    """Print the scores of an `evaluation`, and how they were measured, to a rich `console`.

    Example:

    ```python
    from rich.console import Console

    print_scores(evaluation, Console(width=120))
    ```
    """
    table = Table("", title="Scores (↓ lower is better, ↑ higher is better)")
    for direction in evaluation.round_trips:
        table.add_column(direction.arrow, justify="right", style="bold")
        table.add_column("untranslated", justify="right", style="dim")
    for name, better, measured in score_rows(evaluation):
        cells = [cell for d in evaluation.round_trips for cell in figures(measured.get(d))]
        table.add_row(name + BETTER[better], *cells)
    console.print(table)
    for direction, judged in evaluation.judged.items():
        table = Table("class", title=f"The judge's right answers, {direction.arrow}, worst first")
        for title in ("images or pixels", *SHARES):
            table.add_column(title, justify="right")
        for row in judged.classes:
            shares = ("–" if row[k] is None else f"{row[k]:.1%}" for k in SHARES)
            table.add_row(escape(row["name"]), f"{row['count']:,}", *shares)
        console.print(table)
    for what, how in protocol_lines(evaluation):
        console.print(f"[bold]{escape(what)}[/bold]: {escape(how)}", highlight=False)
    for note in evaluation.notes:
        console.print(f"[yellow]Note:[/yellow] {escape(note)}", highlight=False)


def figures(measured):
    """Format a score and its baseline for a table; what there isn't becomes a dash."""
    scores = (measured.translated, measured.untranslated) if measured else (None, None)
    return ["–" if score is None else f"{score.value:.4g}" for score in scores]


def protocol_lines(evaluation):
    """Return `(what, how)`: the conditions that all scores share, then each score's own."""
    protocols = [score.translated.protocol for score in evaluation.measured]
    shared = {
        key: value
        for key, value in protocols[0].items()
        if all(protocol.get(key) == value for protocol in protocols)
    }
    lines = [(key, str(value)) for key, value in shared.items()]
    for name, _, measured in score_rows(evaluation):
        own = {}  # both directions differ at most in the number of images
        for score in measured.values():
            for key, value in score.translated.protocol.items():
                if key not in shared and key != "metric":
                    own.setdefault(key, {})[str(value)] = True
        lines.append((name, "; ".join(f"{key}: {' and '.join(own[key])}" for key in own)))
    return lines


def write_json(evaluation: Any, path: PathLike, preset: str) -> None:
    """Write every score with its protocol, and the notes, to a JSON file at `path`.

    `evaluation` is an `Evaluation`, `preset` the name of the model.

    Example:

    ```python
    import json

    write_json(evaluation, "evaluation.json", preset="glyphs")
    with open("evaluation.json") as file:
        json.load(file)["scores"][0]["name"]  # "MAE"
    ```
    """
    from keras_cyclegan import __version__

    scores = [dataclasses.asdict(score) for score in evaluation.measured]
    for score in (one[share] for one in scores for share in SHARES if one[share]):
        if not math.isfinite(score["value"]):  # the PSNR of equal images, which JSON hasn't
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
