"""What a user's own network says of images before and after translation."""

import dataclasses
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
            evaluation.notes.append(
                f"The judge isn't asked about {direction.arrow}: no image of {domain.upper()} has "
                "a label."
            )
            continue
        shares = [_shares(truth, said) for said in compared]
        kinds = {"": lambda share: share[0].sum() / share[1].sum()}
        if truth.ndim > 1:
            kinds[", mean IoU"] = lambda share: np.nanmean(share[0] / _safe(share[2]))
        for suffix, value in kinds.items():
            protocol = {"judge": judge.title, "labels": described}
            protocol = evaluation.protocol(name + suffix, len(truth), **protocol)
            scores = [Score(float(value(share)), protocol) for share in shares]
            yield Measured(name + suffix, direction, "higher", *scores)
        images = _by_image(evaluation.names[domain], truth, after, names)
        evaluation.judged[direction] = Judged(_by_class(names, *shares), images)


def _safe(counts):
    return np.where(counts > 0, counts, np.nan)


def _shares(truth, said):
    """Return right answers, labels and the union of labels and answers, `(classes,)` each."""
    kept = truth >= 0
    truth, answer = truth[kept], said.argmax(axis=-1)[kept]
    right, labelled, answered = (
        np.bincount(x, minlength=said.shape[-1]) for x in (truth[answer == truth], truth, answer)
    )
    return right, labelled, labelled + answered - right


def _by_class(names, shares, baseline=None):
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
