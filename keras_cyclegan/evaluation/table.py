"""An evaluation as a table in a terminal and as JSON."""

import json
import math

import keras
from rich.markup import escape
from rich.table import Table

from keras_cyclegan.files.atomic import atomic_file

BETTER = {"lower": " ↓", "higher": " ↑", None: ""}


def score_rows(evaluation):
    """Returns `(name, better, {direction: Measured})` of each score, in order."""
    rows = {}
    for one in evaluation.measured:
        rows.setdefault(one.name, (one.name, one.better, {}))[2][one.direction] = one
    return list(rows.values())


def score_table(evaluation):
    """Returns a `rich.table.Table`: a row a score, and for each direction its baseline."""
    table = Table("", title="Scores (↓ lower is better, ↑ higher is better)")
    for way in evaluation.passes:
        table.add_column(way.arrow, justify="right", style="bold")
        table.add_column("untranslated", justify="right", style="dim")
    for name, better, ways in score_rows(evaluation):
        cells = []
        for way in evaluation.passes:
            one = ways.get(way)
            cells += [figure(one and one.translated), figure(one and one.untranslated)]
        table.add_row(name + BETTER[better], *cells)
    return table


def print_scores(evaluation, console):
    """Prints the table, how it was measured, and the notes, to a `rich.console.Console`."""
    console.print(score_table(evaluation))
    for what, how in protocol_lines(evaluation):
        console.print(f"[bold]{escape(what)}[/bold]: {escape(how)}", highlight=False)
    for note in evaluation.notes:
        console.print(f"[yellow]Note:[/yellow] {escape(note)}", highlight=False)


def figure(score):
    """Returns a score as it stands in a table; a dash for none."""
    return "–" if score is None else f"{score.value:.4g}"


def protocol_lines(evaluation):
    """Returns what all scores were measured in, and then what is particular to each.

    Returns:
        A list of pairs of strings: what, and how.
    """
    protocols = [one.translated.protocol for one in evaluation.measured]
    shared = {
        key: value
        for key, value in protocols[0].items()
        if all(protocol.get(key) == value for protocol in protocols)
    }
    lines = [(key, str(value)) for key, value in shared.items()]
    for name, _, ways in score_rows(evaluation):
        own = [
            {key: str(value) for key, value in one.translated.protocol.items()}
            for one in ways.values()
        ]
        keys = [key for key in own[0] if key not in shared and key != "metric"]
        # Directions differ in their counts of images, if in anything.
        said = (
            f"{key}: {' and '.join(dict.fromkeys(way[key] for way in own if key in way))}"
            for key in keys
        )
        lines.append((name, "; ".join(said)))
    return lines


def write_json(evaluation, path, preset):
    """Writes every score with its protocol, and the notes.

    Args:
        evaluation: `Evaluation`.
        path: file to write.
        preset: string. What was scored.
    """
    from keras_cyclegan import __version__

    content = {
        "preset": preset,
        "images": {"a": len(evaluation.sets.a), "b": len(evaluation.sets.b)},
        "paired": evaluation.sets.paired,
        "scores": [
            {
                "name": one.name,
                "direction": one.direction,
                "better": one.better,
                "translated": _plain(one.translated),
                "untranslated": _plain(one.untranslated),
            }
            for one in evaluation.measured
        ],
        "notes": evaluation.notes,
        "versions": {"keras-cyclegan": __version__, "keras": keras.__version__},
    }
    with atomic_file(path) as unfinished:
        unfinished.write_text(
            json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def _plain(score):
    """A score as JSON has it, which knows no infinity: the PSNR of equal images."""
    if score is None:
        return None
    value = score.value if math.isfinite(score.value) else str(score.value)
    return {**score.to_dict(), "value": value}
