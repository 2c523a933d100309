"""Scores of translated label maps: the paper's photo → labels table."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import Tensor
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.score import Measured, Score, mean_score

# The colours of the CMP facades in pix2pix's rendering (a "jet" colour map), read from its files.
FACADES = "0000de 0030ff 0080ff 00cfff 20ffdf 70ff8f c0ff3f fff000 ff9f00 ff5000 ff0000 ae0000"
FACADES_PALETTE = tuple(tuple(bytes.fromhex(colour)) for colour in FACADES.split())


@keras.saving.register_keras_serializable(package="keras_cyclegan")
class SegmentationScores(keras.metrics.Metric):
    """Per-pixel accuracy, per-class accuracy and mean IoU of label maps drawn in colours.

    Each pixel of both images is taken for the class whose colour is nearest, as in the CycleGAN
    paper's evaluation of photo → labels. `result()` is a dict of `"pixel_accuracy"`,
    `"class_accuracy"` and `"mean_iou"`, counted on the host. Matches the numbers of the FCN
    evaluation (Long et al. 2015): means leave out classes that aren't there.

    Args:
        palette: `(classes, channels)`, colours of 0 … 255; `FACADES_PALETTE` for facades.
        tolerance: a ground truth more than half of which is further (in levels, Euclidean) from
            every colour is refused. The default allows for JPEG.
    """

    def __init__(self, palette: Any, tolerance: float = 64.0, **kwargs: Any) -> None:
        super().__init__(**{"name": "segmentation", **kwargs})
        self._colours = np.asarray(palette, "float64")
        if self._colours.ndim != 2 or len(np.unique(self._colours, axis=0)) != len(palette):
            raise ValueError(
                "`palette` must be colours, all different, `(classes, channels)` in 0 … 255. "
                f"Received {palette}."
            )
        self.palette = tuple(map(tuple, self._colours.tolist()))
        self.tolerance = tolerance
        self.reset_state()

    def update_state(self, y_true: Tensor, y_pred: Tensor) -> Any:
        y_true, y_pred = as_levels(y_true), as_levels(y_pred)
        if y_true.shape != y_pred.shape or y_true.shape[-1] != self._colours.shape[1]:
            raise ValueError(
                f"Label maps must have one shape, of {self._colours.shape[1]} channels. "
                f"Received {y_true.shape} and {y_pred.shape}."
            )
        truth, distance = self._classes(y_true)
        astray = np.mean(distance > self.tolerance)
        if astray > 0.5:
            raise ValueError(
                f"{astray:.0%} of the ground truth was drawn in another palette: it lies further "
                f"than {self.tolerance:g} levels from each of {self.palette}."
            )
        self._counts += count_right(truth, self._classes(y_pred)[0], len(self._colours))

    def result(self) -> dict[str, Any]:
        return shares_of(self._counts)

    def reset_state(self) -> None:
        self._counts = np.zeros((3, len(self._colours)), "int64")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "palette": self.palette, "tolerance": self.tolerance}

    def _classes(self, images):
        """Return the class of each pixel, and its distance from that class's colour."""
        pixels = images.reshape(-1, images.shape[-1]).astype("float64")
        # |x − c|², one colour after the other: all at once would take 12 images of doubles.
        squares = np.stack([np.sum((pixels - colour) ** 2, axis=1) for colour in self._colours])
        return squares.argmin(axis=0), np.sqrt(squares.min(axis=0))


def count_right(truth, answer, classes):
    """Count right answers, labels, and the union of labels and answers of each class: `(3, c)`."""
    right, labelled, answered = (
        np.bincount(x, minlength=classes) for x in (truth[answer == truth], truth, answer)
    )
    return np.stack([right, labelled, labelled + answered - right])


def shares_of(counts):
    """Return the scores of what `count_right` counted; means are of classes that are there."""
    right, labelled, union = counts
    with np.errstate(invalid="ignore"):
        return {
            "pixel_accuracy": float(right.sum() / labelled.sum()),
            "class_accuracy": float(np.nanmean(right / labelled)),
            "mean_iou": float(np.nanmean(right / union)),
        }


def read_palette(name: str | None) -> Sequence[Sequence[float]] | None:
    """Read the colours that a user names, for `SegmentationScores`; None for no `name`.

    It is `"facades"`, or the path of a JSON file, `[[red, green, blue], …]` in 0 … 255.
    """
    if name in (None, "facades"):
        return FACADES_PALETTE if name else None
    try:
        colours = json.loads(pathlib.Path(name).read_text(encoding="utf-8"))
        return [tuple(float(level) for level in colour) for colour in colours]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name} must hold a list of colours, [[red, green, blue], …] in 0 … 255: {error}."
        ) from error


SHOWN = {
    "Per-pixel accuracy": "pixel_accuracy",
    "Per-class accuracy": "class_accuracy",
    "Mean IoU": "mean_iou",
}


def measure(evaluation):
    """Measure the accuracies of label maps, as in the paper's table of photo → labels."""
    palette = evaluation.options["palette"]
    for direction in evaluation.round_trips if palette is not None else ():
        if direction.target != evaluation.options["label_domain"]:
            continue
        truth, compared = evaluation.pairs(direction)
        results = [mean_score(SegmentationScores(palette), truth, x) for x in compared]
        for name, key in SHOWN.items():
            protocol = evaluation.protocol(name, len(truth), palette=str([*map(tuple, palette)]))
            yield Measured(name, direction, "higher", *(Score(x[key], protocol) for x in results))
