"""What a user's own network says of images before and after translation."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from keras_cyclegan.files.untrusted import printable
from keras_cyclegan.scores.judges import answers
from keras_cyclegan.scores.labels import count_right, shares_of
from keras_cyclegan.scores.measured import Measured
from keras_cyclegan.scores.score import Score

IGNORED = 255  # of label maps, as in Cityscapes: counts nowhere


@dataclasses.dataclass(frozen=True)
class Judged:
    """A judge's answers of one direction, by class and by image, worst first.

    Attributes:
        classes: list of dicts: `"name"`, `"count"` (images, or pixels of label maps), and the
            shares of right answers, `"translated"` and `"untranslated"` (None without labels).
        images: list of dicts: `"index"`, `"name"`, `"label"`, `"answer"` (None for label maps) and
            `"right"`, the share of right answers.
    """

    classes: list[dict[str, Any]]
    images: list[dict[str, Any]]


def measure(evaluation):
    """Measure how often the judge is right of translations: by labels, or by its own answers.

    Without labels, right is what it says of the original: translation then shouldn't change it.
    """
    judge, labels = evaluation.options["judge"], evaluation.options["labels"]
    if judge is None:
        return
    for direction, translated in evaluation.translated.items():
        domain = direction.source
        before = answers(judge, evaluation.images[domain])
        after = answers(judge, translated)
        if labels is None:
            name, described = "Judge's agreement with itself", "its answers on the originals"
            truth, names = before.argmax(axis=-1), [str(i) for i in range(before.shape[-1])]
            compared = [after]
        else:
            name = "Judge's accuracy"
            described = "given as arrays" if isinstance(labels, dict) else str(labels)
            truth, names = labels_of(labels, domain, evaluation.names[domain], before.shape)
            compared = [after, before]
        if truth is None:
            arrow, name = direction.arrow, domain.upper()
            evaluation.notes.append(f"{arrow} isn't judged: no image of {name} has a label.")
            continue
        kept, classes = truth >= 0, before.shape[-1]
        answered = [said.argmax(axis=-1)[kept] for said in compared]
        counts = [count_right(truth[kept], each, classes) for each in answered]
        kinds = {name: "pixel_accuracy", f"{name}, mean IoU": "mean_iou"}
        for title, kind in list(kinds.items())[: 1 if truth.ndim == 1 else 2]:
            own = {"judge": judge.title, "labels": described}
            protocol = evaluation.protocol(title, len(truth), **own)
            scores = [Score(shares_of(count)[kind], protocol) for count in counts]
            yield Measured(title, direction, "higher", *scores)
        images = _by_image(evaluation.names[domain], truth, after, names)
        evaluation.judged[direction] = Judged(_by_class(names, *counts), images)


def _by_class(names, counts, baseline=None):
    right, count, _ = counts
    rows = [
        {
            "name": names[i],
            "count": int(count[i]),
            "translated": float(right[i] / count[i]),
            "untranslated": None if baseline is None else float(baseline[0][i] / count[i]),
        }
        for i in np.flatnonzero(count)
    ]
    return sorted(rows, key=lambda row: row["translated"])


def _by_image(image_names, truth, said, names):
    """Rank images: by the share of pixels that are right, or by the margin of the right class."""
    answer, maps = said.argmax(axis=-1), truth.ndim > 1
    if maps:
        kept = truth >= 0
        right = ((answer == truth) & kept).sum((1, 2)) / np.maximum(kept.sum((1, 2)), 1)
        margin = right
    else:
        right = (answer == truth).astype(float)
        rows, others = np.arange(len(truth)), said.copy()
        others[rows, truth] = -np.inf
        margin = said[rows, truth] - others.max(axis=-1)
    return [
        {
            "index": int(i),
            "name": image_names[i],
            "label": None if maps else names[truth[i]],
            "answer": None if maps else names[answer[i]],
            "right": float(right[i]),
        }
        for i in np.argsort(margin, kind="stable")
    ]


def labels_of(labels, domain, names, answered):
    """Find the label of each image of a domain, in what `evaluate` was given.

    Returns:
        Integers of the shape of the judge's answers less the classes, -1 where they don't count,
        and the names of the classes; Nones where no image of the domain has a label.
    """
    classes = [str(i) for i in range(answered[-1])]
    if isinstance(labels, dict):
        if labels.get(domain) is None:
            return None, None
        return _checked(np.asarray(labels[domain]), answered, f'labels["{domain}"]'), classes
    root = pathlib.Path(labels)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of labels {printable(str(labels))}.")
    root = root / domain.upper() if (root / domain.upper()).is_dir() else root
    shown = printable(str(root))
    files = {path.stem: path for path in sorted(root.rglob("*")) if path.is_file()}
    found = [files.get(pathlib.PurePath(name).stem) for name in names]
    if not any(found):
        return None, None
    missing = [printable(name) for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        raise ValueError(
            f"{shown} lacks labels of {len(missing)} of {len(names)} images of "
            f"{domain.upper()}: {', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}."
        )
    if len(answered) == 4:
        maps = np.stack([_read_map(path, answered[1:3]) for path in found])
        return _checked(maps, answered, shown), classes
    folders = sorted({path.parent.name for path in files.values()})
    if all(name.isdecimal() for name in folders):  # numbers of the judge's classes
        return _checked(np.array([int(p.parent.name) for p in found]), answered, shown), classes
    if len(folders) != answered[-1]:
        raise ValueError(
            f"The judge knows {answered[-1]} classes, and {shown} has {len(folders)} sub-folders: "
            f"{', '.join(map(printable, folders[:10]))}. If it has others too, name them by number."
        )
    return np.array([folders.index(path.parent.name) for path in found]), folders


def _checked(values, answered, source):
    """Return labels as int64, -1 where a pixel of a map doesn't count."""
    values = values.astype("int64")
    if values.ndim == 3:
        values = np.where(values == IGNORED, -1, values)
    if values.shape != answered[:-1] or values.max() >= answered[-1]:
        raise ValueError(
            f"Labels are classes of 0 … {answered[-1] - 1}, {answered[:-1]}. Received "
            f"{values.shape} up to {values.max()} in {source}."
        )
    return values


def _read_map(path, size):
    """Read an 8-bit map of classes, brought to the size of the judge's answers."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(f"Label maps have 8 bits; {printable(str(path))} is {image.mode}.")
        return np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST))
