"""What a user's own network says of images before and after translation."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from keras_cyclegan.scores.judges import answers
from keras_cyclegan.scores.label_folders import labels_of
from keras_cyclegan.scores.measured import Measured
from keras_cyclegan.scores.score import Score


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


def measure(setting):
    """Measure how often the judge is right of translations: by labels, or by its own answers.

    Without labels, right is what it says of the original: translation then shouldn't change it.
    """
    judge, labels = setting.options["judge"], setting.options["labels"]
    if judge is None:
        return
    for direction, trip in setting.round_trips.items():
        domain = direction.source
        before = answers(judge, setting.images[domain])
        after = answers(judge, trip.translated)
        classes = before.shape[-1]
        if labels is None:
            truth, names = before.argmax(axis=-1), [str(i) for i in range(classes)]
        else:
            found = labels_of(labels, domain, setting.names[domain], before.shape)
            if found is None:
                setting.notes.append(
                    f"The judge isn't asked about {direction.arrow}: no image of "
                    f"{domain.upper()} has a label."
                )
                continue
            truth, names = found
        shares = _shares(truth, after, classes)
        baseline = None if labels is None else _shares(truth, before, classes)
        name = "Judge's agreement with itself" if labels is None else "Judge's accuracy"
        protocol = setting.protocol(
            name,
            len(truth),
            judge=judge.title,
            labels="its answers on the originals" if labels is None else _described(labels),
        )
        kinds = {"": lambda share: share[0].sum() / share[1].sum()}
        if truth.ndim > 1:
            kinds[", mean IoU"] = lambda share: np.nanmean(share[0] / _safe(share[2]))
        for suffix, value in kinds.items():
            known = {**protocol, "metric": name + suffix}
            scores = [Score(float(value(s)), known) for s in (shares, baseline) if s is not None]
            yield Measured(name + suffix, direction, "higher", *scores)
        setting.judged[direction] = Judged(
            _by_class(names, shares, baseline),
            _by_image(setting.names[domain], truth, after, names),
        )


def _described(labels):
    return str(labels) if isinstance(labels, (str, pathlib.Path)) else "given as arrays"


def _safe(counts):
    return np.where(counts > 0, counts, np.nan)


def _shares(truth, logits, classes):
    """Return right answers, labels and the union of labels and answers, `(classes,)` each."""
    kept = truth >= 0
    truth, answer = truth[kept], logits.argmax(axis=-1)[kept]
    right, labelled, answered = (
        np.bincount(x, minlength=classes) for x in (truth[answer == truth], truth, answer)
    )
    return right, labelled, labelled + answered - right


def _by_class(names, shares, baseline):
    right, count, _ = shares
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


def _by_image(image_names, truth, logits, names):
    """Rank images: by the share of pixels that are right, or by the margin of the right class."""
    answer = logits.argmax(axis=-1)
    if truth.ndim > 1:
        kept = truth >= 0
        right = ((answer == truth) & kept).sum((1, 2)) / np.maximum(kept.sum((1, 2)), 1)
        order = np.argsort(right, kind="stable")
    else:
        right = (answer == truth).astype(float)
        rows = np.arange(len(truth))
        others = logits.copy()
        others[rows, truth] = -np.inf
        order = np.argsort(logits[rows, truth] - others.max(axis=-1), kind="stable")
    return [
        {
            "index": int(i),
            "name": image_names[i],
            "label": None if truth.ndim > 1 else names[truth[i]],
            "answer": None if truth.ndim > 1 else names[answer[i]],
            "right": float(right[i]),
        }
        for i in order
    ]
