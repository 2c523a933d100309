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
from keras_cyclegan.scores.table import BETTER, figures, protocol_lines, score_rows

SAMPLES = 8  # rows of the grid, spread evenly over the set
EXTREMES = 4  # best, and worst
BARS = 24  # of a histogram


def write_report(evaluation: Any, model: Any, folder: PathLike, preset: str) -> Path:
    """Write `index.html`: scores, samples, best and worst round trips, histograms, the protocol.

    Args:
        evaluation: `Evaluation`.
        model: the `CycleGAN` that was evaluated; it makes the round trips that are shown.
        folder: path; made where it doesn't exist.
        preset: string. Name of the model, for the title.

    Example:

    ```python
    page = write_report(evaluation, model, "report", preset="glyphs")  # its path
    page.name  # "index.html"
    ```
    """
    from keras_cyclegan import __version__

    trips, path = evaluation.round_trips, Path(folder) / "index.html"
    shown = {
        "rows": [_row(row, trips) for row in score_rows(evaluation)],
        "directions": [_shown(evaluation, model, direction) for direction in trips],
        "histograms": list(_histograms(trips)),
        "protocol": protocol_lines(evaluation),
    }
    package, version = "keras_cyclegan.scores", __version__
    write_page(
        path, package, "report.html", evaluation=evaluation, preset=preset, version=version, **shown
    )
    return path


def write_page(path, package, template, **values):
    """Fill in a template of a package, escaping what isn't its own, and write the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = templates.get_template(template).render(**values)
    with atomic_file(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _row(row, directions):
    """Make a row of the table of scores; `verdict` compares with the untranslated images."""
    name, better, measured = row
    cells = []
    for score in map(measured.get, directions):
        verdict, (value, baseline) = "", figures(score)
        if score and score.untranslated and better and value != baseline:
            gain = score.translated - score.untranslated
            verdict = "worse" if (gain < 0) == (better == "higher") else "better"
        cells.append({"value": value, "baseline": baseline, "verdict": verdict})
    return {"name": name, "better": BETTER[better], "cells": cells}


def _shown(evaluation, model, direction):
    """Collect what is shown of one direction: samples, its best and worst, the judge's answers."""
    source, target = direction.source, direction.target
    images = getattr(evaluation.sets, source)
    truth = getattr(evaluation.sets, target) if evaluation.sets.paired else None
    errors = evaluation.round_trips[direction].cycle_error
    generator = generator_for(model, direction)
    has_masks = hasattr(generator, "attention_network")

    def strips(indices):
        """Make a row of pictures for each index; white of a mask is painted."""
        indices = np.asarray(indices, int)
        if not len(indices):
            return []
        real = evaluation.formats[source].to_unit(images[indices])
        fake = runner(generator)(real)
        columns = {"input": real}
        if has_masks:
            columns["mask"] = 1.0 - 2.0 * runner(runner(generator).masks)(real)[..., -1:]
        columns["translation"] = fake
        if errors is not None:
            columns["round trip"] = runner(generator_for(model, direction.opposite))(fake)
        if truth is not None:
            columns["ground truth"] = evaluation.formats[target].to_unit(truth[indices])
        shown = {title: as_pictures(column) for title, column in columns.items()}
        return [
            {
                "name": evaluation.names[source][index],
                "error": None if errors is None else f"cycle error {errors[index]:.3f}",
                "pictures": [(title, picture(column[row])) for title, column in shown.items()],
            }
            for row, index in enumerate(indices)
        ]

    judged = evaluation.judged.get(direction)
    wrong = [row for row in judged.images[:EXTREMES] if row["right"] < 1] if judged else []
    most_wrong = strips([row["index"] for row in wrong])
    for strip, row in zip(most_wrong, wrong, strict=True):
        strip["error"] = f"{row['answer']}, not {row['label']}"
        if row["label"] is None:
            strip["error"] = f"{row['right']:.0%} of pixels right"
    ranked = [] if errors is None else np.argsort(errors)
    count = min(EXTREMES, len(ranked) // 2)  # of few images, none is both
    return {
        "arrow": direction.arrow,
        "masks": has_masks,
        "samples": strips(np.linspace(0, len(images) - 1, min(SAMPLES, len(images))).round()),
        "best": strips(ranked[:count]),
        "worst": strips(ranked[::-1][:count]),
        "judged": judged,
        "most_wrong": most_wrong,
    }


def picture(image):
    """Encode a uint8 image as a `data:` address of a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _histograms(round_trips):
    """Yield `(title, largest value, {arrow: heights of bars})` of what each image has."""
    for title, attribute in (("Cycle error", "cycle_error"), ("Content change", "content_change")):
        values = {d.arrow: getattr(trip, attribute) for d, trip in round_trips.items()}
        values = {arrow: found for arrow, found in values.items() if found is not None}
        if values:
            top = max(found.max() for found in values.values())
            counts = {k: np.histogram(v, BARS, (0, top or 1))[0] for k, v in values.items()}
            tallest = max(count.max() for count in counts.values())
            yield title, f"{top:.3f}", {k: (100 * n / tallest).tolist() for k, n in counts.items()}
