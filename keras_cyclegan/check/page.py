"""Writes what `check_data` found as one HTML page without other files."""

from pathlib import Path

import numpy as np

from keras_cyclegan.check.survey import SIDE
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.untrusted import printable
from keras_cyclegan.scores.report import picture

TELLING = 8  # images that are shown
SHOWN = 4  # sizes and kinds of a split in the table


def write_page(checked, path, source):
    """Write an HTML page.

    Args:
        checked: `Checked`.
        path: path of the page.
        source: string. Name of the data, for the title.

    Raises:
        OSError: it can't be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("keras_cyclegan.check", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = templates.get_template("check.html").render(
        source=printable(str(source)),
        checked=checked,
        rows=table(checked),
        accuracy=checked.probe and f"{checked.probe.accuracy:.0%}",
        telling=list(_telling(checked)),
        lists=[
            (
                "Images that can't be used",
                [x for s in checked.surveys.values() for x in s.unreadable],
            ),
            ("Equal images", [", ".join(names) for names in checked.duplicates]),
        ],
    )
    with atomic_file(Path(path)) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def table(checked):
    """Return rows of text, one for each split: what `check` prints and shows."""
    return [
        (
            each.title,
            str(each.count),
            str(len(each.unreadable)),
            _listed({f"{h}×{w}": n for (h, w), n in each.sizes.most_common()}),
            _listed({f"{d} × {c}": n for (d, c), n in each.kinds.most_common()}),
            f"{each.low:g} to {each.high:g}" if each.names else "–",
            _colours(each),
        )
        for each in checked.surveys.values()
    ]


def _listed(counts):
    names = list(counts)
    if len(names) == 1:
        return names[0]
    shown = ", ".join(f"{counts[name]} of {name}" for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _colours(each):
    if not each.names or len({mean.shape for mean in each.means}) > 1:
        return "–"
    means = np.stack(each.means)
    pairs = zip(means.mean(axis=0), means.std(axis=0), strict=True)
    return ", ".join(f"{mean:.4g} ({deviation:.3g})" for mean, deviation in pairs)


def _telling(checked):
    """Yield the images that the probe is surest of, half of them of A, with a map of each."""
    if checked.probe is None:
        return
    sides = [checked.surveys["train_a"], checked.surveys["train_b"]]
    keys = [list(side.copies) for side in sides]
    largest = np.abs(checked.probe.maps).max() or 1.0
    taken = {"A": 0, "B": 0}
    for index, heat in zip(checked.probe.indices, checked.probe.maps, strict=True):
        domain = int(index >= len(keys[0]))
        name = "AB"[domain]
        if taken[name] >= TELLING // 2:
            continue
        taken[name] += 1
        key = keys[domain][index - domain * len(keys[0])]
        gray = np.clip(127.5 + 127.5 * heat / largest, 0, 255).astype("uint8")[..., None]
        yield {
            "name": printable(sides[domain].names[key]),
            "domain": name,
            "image": picture(sides[domain].copies[key]),
            "map": picture(resize_image(gray, (SIDE, SIDE))),
        }
