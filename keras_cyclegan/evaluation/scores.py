"""The scores of one translator, by kind; each is a `Measured` that carries its protocol."""

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
FEW = 50  # images below which KID scatters more than translators differ
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
        better: `"lower"`, `"higher"`, or `None` for what is neither good nor bad.
        translated: `Score`.
        untranslated: `Score` of the images as they were, or `None` where that says nothing.
    """

    name: str
    direction: str
    better: str | None
    translated: Score
    untranslated: Score | None = None


def paired_scores(way, source, translated, truth, conditions):
    """Distance and similarity of each translation to its ground truth."""
    for name, better, unit, metric in PAIRED:
        if metric is StructuralSimilarity and min(truth.shape[1:3]) < SSIM_WINDOW:
            continue
        protocol = {"metric": name, "unit": unit, "images": len(truth), **conditions}
        yield Measured(
            *(name, way, better),
            Score(_mean(metric(), truth, translated), protocol),
            # Domains that differ in channels have no such baseline.
            Score(_mean(metric(), truth, source), protocol)
            if source.shape == truth.shape
            else None,
        )


def label_scores(way, source, translated, truth, palette, conditions):
    """Accuracies of label maps, as in the paper's table of photo → labels."""

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
            *(name, way, "higher", Score(values[key], protocol)),
            Score(baseline[key], protocol) if baseline else None,
        )


def set_distances(extractor, images, passes, fid, conditions):
    """KID and FID to the real images, of the translations and of the untranslated images."""
    protocol = {**describe_extractor(extractor, None), **conditions}
    real = {domain: _features(extractor, some) for domain, some in images.items()}
    translated = {way: _features(extractor, one.translated) for way, one in passes.items()}
    distances = {"KID": KernelInceptionDistance}
    if fid is None:
        fid = all(len(features) > features.shape[1] for features in real.values())
    if fid:
        distances["FID"] = FrechetInceptionDistance
    for name, distance in distances.items():
        for way in passes:
            source, target = way.source, way.target
            translated_score, untranslated_score = (
                _distance(distance(extractor=None, protocol=protocol), real[target], generated)
                for generated in (translated[way], real[source])
            )
            yield Measured(name, way, "lower", translated_score, untranslated_score)


def cautions(few, measured):
    """What to know of distances between sets of which the smaller has `few` images."""
    if few < FEW:
        yield (
            f"KID of {few} images has no bias, but scatters widely: to tell translators apart, "
            "take more."
        )
    if not any(one.name == "FID" for one in measured):
        yield (
            f"FID is left out: with fewer images than features it is strongly biased, and there "
            f"are {few}. KID is not. --fid measures it all the same."
        )


def cycle_scores(way, one, conditions):
    """What a round trip loses, and how much a translation changes."""
    for name, better, values in (
        ("Cycle error", "lower", one.cycle_error),
        ("Content change", None, one.content_change),
    ):
        if values is not None:
            protocol = {"metric": name, "unit": "0 to 2", "images": len(values), **conditions}
            protocol["translations"] = "not rounded"
            yield Measured(name, way, better, Score(float(values.mean()), protocol))


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
