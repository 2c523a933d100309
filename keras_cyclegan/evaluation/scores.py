"""Measures the scores of one translator; each is a `Measured` with its protocol."""

import dataclasses

import keras
import numpy as np

from keras_cyclegan.data import to_unit
from keras_cyclegan.losses.similarity import WINDOW as SSIM_WINDOW
from keras_cyclegan.metrics import (
    FrechetInceptionDistance,
    KernelInceptionDistance,
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    Score,
    SegmentationScores,
    StructuralSimilarity,
)
from keras_cyclegan.metrics.features import describe_extractor

BATCH = 32
FEW = 50  # with fewer images, KID varies more by chance than between translators
PAIRED = (
    ("MAE", "lower", "0 to 2", MeanAbsoluteError),
    ("PSNR", "higher", "decibels", PeakSignalToNoiseRatio),
    ("SSIM", "higher", "1 for equal images", StructuralSimilarity),
)
LABELS = {
    "pixel_accuracy": "Per-pixel accuracy",
    "class_accuracy": "Per-class accuracy",
    "mean_iou": "Mean IoU",
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One score of one direction.

    Attributes:
        name: string, `"KID"` for example.
        direction: `"a_to_b"` or `"b_to_a"`.
        better: `"lower"`, `"higher"`, or `None` for a score that is neither good nor bad.
        translated: `Score`.
        untranslated: `Score` of the untranslated images. None, the default, where there is none.

    Example:

    ```python
    errors = [score for score in evaluation.measured if score.name == "MAE"]
    better_than_nothing = [score.translated < score.untranslated for score in errors]
    ```
    """

    name: str
    direction: str
    better: str | None
    translated: Score
    untranslated: Score | None = None


def paired_scores(direction, source, translated, truth, conditions):
    """Measure the distance and the similarity of translations to their ground truth."""
    for name, better, unit, metric in PAIRED:
        if metric is StructuralSimilarity and min(truth.shape[1:3]) < SSIM_WINDOW:
            continue
        protocol = {"metric": name, "unit": unit, "images": len(truth), **conditions}
        yield Measured(
            *(name, direction, better),
            Score(_mean(metric(), truth, translated), protocol),
            # Images of other channels than the ground truth can't be compared with it.
            Score(_mean(metric(), truth, source), protocol)
            if source.shape == truth.shape
            else None,
        )


def label_scores(direction, source, translated, truth, palette, conditions):
    """Measure the accuracies of label maps, as in the paper's table of photo → labels."""

    def score(images):
        metric = SegmentationScores(palette)
        for batch_truth, batch in zip(_batches(truth), _batches(images), strict=True):
            metric.update_state(batch_truth, batch)
        return metric.result()

    values = score(translated)
    baseline = score(source) if source.shape == truth.shape else {}
    for key, name in LABELS.items():
        protocol = {
            "metric": name,
            "palette": " ".join(_hex(colour) for colour in palette),
            "images": len(truth),
            **conditions,
        }
        yield Measured(
            *(name, direction, "higher", Score(values[key], protocol)),
            Score(baseline[key], protocol) if baseline else None,
        )


def set_distances(extractor, images, round_trips, fid, conditions):
    """Measure KID and FID to the real images, of translations and of untranslated images."""
    protocol = {**describe_extractor(extractor, None), **conditions}
    real = {domain: _features(extractor, some) for domain, some in images.items()}
    translated = {d: _features(extractor, one.translated) for d, one in round_trips.items()}
    distances = {"KID": KernelInceptionDistance}
    if fid is None:
        fid = all(len(features) > features.shape[1] for features in real.values())
    if fid:
        distances["FID"] = FrechetInceptionDistance
    for name, distance in distances.items():
        for direction in round_trips:
            source, target = direction.source, direction.target
            translated_score, untranslated_score = (
                _distance(distance(extractor=None, protocol=protocol), real[target], generated)
                for generated in (translated[direction], real[source])
            )
            yield Measured(name, direction, "lower", translated_score, untranslated_score)


def cautions(smaller, measured):
    """Yield warnings about distances between sets, the smaller of which has `smaller` images."""
    if smaller < FEW:
        yield (
            f"KID of {smaller} images has no bias, but varies much by chance: take more images to "
            "compare translators."
        )
    if not any(one.name == "FID" for one in measured):
        yield (
            "FID is left out: with fewer images than features it is strongly biased, and there are "
            f"{smaller} images. KID is not biased. --fid measures FID nevertheless."
        )


def cycle_scores(direction, round_trips, conditions):
    """Average the cycle error and the content change of one direction."""
    for name, better, values in (
        ("Cycle error", "lower", round_trips.cycle_error),
        ("Content change", None, round_trips.content_change),
    ):
        if values is not None:
            protocol = {"metric": name, "unit": "0 to 2", "images": len(values), **conditions}
            protocol["translations"] = "not rounded"
            yield Measured(name, direction, better, Score(float(values.mean()), protocol))


def _hex(colour):
    return "#" + "".join(f"{round(level):02x}" for level in colour)


def _mean(metric, truth, images):
    for batch_truth, batch in zip(_batches(truth), _batches(images), strict=True):
        metric.update_state(batch_truth, batch)
    return float(metric.result())


def _distance(metric, real, generated):
    metric.update_state(real=real, generated=generated)
    return metric.score()


def _features(extractor, images):
    images = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
    if isinstance(extractor, keras.Model):
        return extractor.predict(to_unit(images), batch_size=BATCH, verbose=0)
    return np.concatenate([extractor(batch) for batch in _batches(images)])


def _batches(images):
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]
