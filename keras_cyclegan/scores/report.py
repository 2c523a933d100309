"""Writes an evaluation as one HTML page without other files."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.pixels import as_pictures
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for
from keras_cyclegan.scores.table import BETTER, SHARES, figures, protocol_lines, score_rows

SAMPLES = 8  # rows of the grid, spread evenly over the set
EXTREMES = 4  # best, and worst


def write_report(evaluation: Any, model: Any, folder: PathLike, preset: str) -> Path:
    """Write `index.html`: scores, samples, best and worst round trips, histograms, the protocol.

    Args:
        evaluation: `Evaluation`.
        model: the `CycleGAN` that was evaluated; it makes the round trips that are shown.
        folder: path; made where it doesn't exist.
        preset: string. Name of the model, for the title.

    Returns:
        The path of the page.

    Raises:
        OSError: the page can't be written.

    Example:

    ```python
    page = write_report(evaluation, model, "report", preset="glyphs")
    page.name  # "index.html"
    ```
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from keras_cyclegan import __version__

    templates = Environment(
        loader=PackageLoader("keras_cyclegan.scores", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sets = evaluation.sets
    page = templates.get_template("report.html").render(
        preset=preset,
        counts={"A": len(sets.a), "B": len(sets.b)},
        size="×".join(str(side) for side in sets.a.shape[1:3]),
        paired=sets.paired,
        arrows=[direction.arrow for direction in evaluation.round_trips],
        rows=[_row(row, evaluation.round_trips) for row in score_rows(evaluation)],
        directions=[_shown(evaluation, model, d) for d in evaluation.round_trips],
        histograms=list(_histograms(evaluation.round_trips)),
        protocol=protocol_lines(evaluation),
        notes=evaluation.notes,
        version=__version__,
    )
    path = Path(folder) / "index.html"
    with atomic_file(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return path


def _row(row, directions):
    """Make a row of the table of scores; `verdict` compares with the untranslated images."""
    name, better, measured = row
    cells = []
    for direction in directions:
        score = measured.get(direction)
        verdict = ""
        shown = figures(score)
        if score and score.untranslated and better and shown[0] != shown[1]:
            gain = score.translated - score.untranslated
            verdict = "worse" if (gain < 0) == (better == "higher") else "better"
        cells.append({"value": shown[0], "baseline": shown[1], "verdict": verdict})
    return {"name": name, "better": BETTER[better], "cells": cells}


def _shown(evaluation, model, direction):
    """Collect what is shown of one direction: samples, and its best and worst round trips."""
    source, target = direction.source, direction.target
    images = getattr(evaluation.sets, source)
    truth = getattr(evaluation.sets, target) if evaluation.sets.paired else None
    errors = evaluation.round_trips[direction].cycle_error
    names = evaluation.names[source]
    given, wanted = evaluation.formats[source], evaluation.formats[target]

    def strips(indices):
        """Make a row of pictures for each index: the image, its translation, its reconstruction.

        Before the translation is its mask, where the generator has one: white is painted.
        """
        indices, generator = np.asarray(indices, int), generator_for(model, direction)
        real = given.to_unit(images[indices])
        fake = runner(generator)(real)
        columns = [("input", real)]
        if hasattr(generator, "attention_network"):
            kept = runner(runner(generator).masks)(real)[..., -1:]
            columns.append(("mask", 1.0 - 2.0 * kept))
        columns.append(("translation", fake))
        if errors is not None:
            cycle = runner(generator_for(model, direction.opposite))(fake)
            columns.append(("round trip", cycle))
        if truth is not None:
            columns.append(("ground truth", wanted.to_unit(truth[indices])))
        shown = [(title, as_pictures(column)) for title, column in columns]
        return [
            {
                "name": names[index],
                "error": None if errors is None else f"cycle error {errors[index]:.3f}",
                "pictures": [(title, picture(column[row])) for title, column in shown],
            }
            for row, index in enumerate(indices)
        ]

    spread = np.linspace(0, len(images) - 1, min(SAMPLES, len(images))).round()
    ranked = [] if errors is None else np.argsort(errors)
    count = min(EXTREMES, len(ranked) // 2)  # of few images, none is both
    return {
        "arrow": direction.arrow,
        "masks": hasattr(generator_for(model, direction), "attention_network"),
        "samples": strips(spread),
        "best": strips(ranked[:count]) if count else [],
        "worst": strips(ranked[::-1][:count]) if count else [],
        "judged": evaluation.judged.get(direction) and _judged(evaluation, direction, strips),
    }


def _judged(evaluation, direction, strips):
    """Collect the judge's answers by class, and the images that it gets most wrong."""
    judged = evaluation.judged[direction]
    worst = [row for row in judged.images[:EXTREMES] if row["right"] < 1]
    shown = strips([row["index"] for row in worst]) if worst else []
    for strip, row in zip(shown, worst, strict=True):
        is_map = row["label"] is None
        strip["error"] = (
            f"{row['right']:.0%} of pixels right"
            if is_map
            else f"{row['answer']}, not {row['label']}"
        )
    classes = [
        row | {k: "–" if row[k] is None else f"{row[k]:.1%}" for k in SHARES}
        for row in judged.classes
    ]
    return {"classes": classes, "worst": shown}


def picture(image):
    """Encode a uint8 image as a `data:` address of a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _histograms(round_trips):
    """Yield `(title, picture)` of the distributions of cycle errors and content changes."""
    for title, attribute in (("Cycle error", "cycle_error"), ("Content change", "content_change")):
        values = {d.arrow: getattr(trip, attribute) for d, trip in round_trips.items()}
        values = {arrow: found for arrow, found in values.items() if found is not None}
        if values:
            yield title, histogram(values)


def histogram(values):
    """Draw a histogram of a dict of labels to arrays: a `data:` address of a transparent SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    # Equal scores give an equal page: SVG would hold random names and the date.
    with matplotlib.rc_context({"svg.hashsalt": "keras-cyclegan", "font.size": 10}):
        chart = Figure(figsize=(5.2, 2.6), layout="constrained")
        axes = chart.add_subplot()
        axes.hist(
            list(values.values()),
            bins=24,
            label=list(values),
            color=["#2f6fde", "#e08a1e"][: len(values)],
        )
        axes.set_xlabel("mean absolute difference, 0 to 2")
        axes.set_ylabel("images")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        file = io.BytesIO()
        chart.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
