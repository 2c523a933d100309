"""Writes what `check_data` found as one HTML page without other files."""

import numpy as np

from keras_cyclegan.check.check import SIDE
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.files.untrusted import printable
from keras_cyclegan.scores import report

TELLING = 8  # images that are shown
SHOWN = 4  # sizes and kinds of a split in the table


def write_page(checked, path, source):
    """Write what was found, `Checked`, in the data of that name."""
    unreadable = [each for survey in checked.surveys.values() for each in survey.unreadable]
    report.write_page(
        path,
        "keras_cyclegan.check",
        "check.html",
        source=printable(str(source)),
        checked=checked,
        rows=table(checked),
        accuracy=checked.probe and f"{checked.probe.accuracy:.0%}",
        telling=list(_telling(checked)) if checked.probe else [],
        lists=[
            ("Images that can't be used", unreadable),
            ("Equal images", [", ".join(names) for names in checked.duplicates]),
        ],
    )


def table(checked):
    """Return rows of text, one for each split: what `check` prints and shows."""
    return [
        (
            each.title,
            str(each.count),
            str(len(each.unreadable)),
            _listed({f"{h}×{w}": n for (h, w), n in each.counted("size").most_common()}),
            _listed({f"{d} × {c}": n for (d, c), n in each.counted("kind").most_common()}),
            "{:g} to {:g}".format(*each.ends) if each.images else "–",
            _colours([image.mean for image in each.images]),
        )
        for each in checked.surveys.values()
    ]


def _listed(counts):
    names = list(counts)
    if len(names) == 1:
        return names[0]
    shown = ", ".join(f"{counts[name]} of {name}" for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _colours(means):
    if len({mean.shape for mean in means}) != 1:
        return "–"
    pairs = zip(np.mean(means, axis=0), np.std(means, axis=0), strict=True)
    return ", ".join(f"{mean:.4g} ({deviation:.3g})" for mean, deviation in pairs)


def _telling(checked):
    """Yield the images that the probe is surest of, with a map of each."""
    a, b = (checked.surveys[f"train_{domain}"].probed for domain in "ab")
    largest = np.abs(checked.probe.maps).max() or 1.0
    for index, heat in list(zip(checked.probe.indices, checked.probe.maps, strict=True))[:TELLING]:
        domain, image = ("A", a[index]) if index < len(a) else ("B", b[index - len(a)])
        gray = np.clip(127.5 + 127.5 * heat / largest, 0, 255).astype("uint8")[..., None]
        yield {
            "name": printable(image.name),
            "domain": domain,
            "image": report.picture(image.copy),
            "map": report.picture(resize_image(gray, (SIDE, SIDE))),
        }
