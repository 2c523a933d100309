"""Scores of translators: distances of sets, errors against ground truth, cycle errors, a judge's.

A `measure` yields what `evaluate` shows of a score; `MEASURES` is the order.
"""

from keras_cyclegan.scores import distances, judge, labels, paired
from keras_cyclegan.scores.distances import FrechetInceptionDistance, KernelInceptionDistance
from keras_cyclegan.scores.extractors import EfficientNetLite0Features, InceptionFeatures
from keras_cyclegan.scores.labels import FACADES_PALETTE, SegmentationScores
from keras_cyclegan.scores.paired import (
    ContentChange,
    CycleError,
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    StructuralSimilarity,
)
from keras_cyclegan.scores.score import ProtocolMismatchError, Score

MEASURES = (
    *(paired.measure, labels.measure, distances.measure, paired.measure_round_trips),
    judge.measure,
)

__all__ = [
    "FACADES_PALETTE",
    "ContentChange",
    "CycleError",
    "EfficientNetLite0Features",
    "FrechetInceptionDistance",
    "InceptionFeatures",
    "KernelInceptionDistance",
    "MeanAbsoluteError",
    "PeakSignalToNoiseRatio",
    "ProtocolMismatchError",
    "Score",
    "SegmentationScores",
    "StructuralSimilarity",
]
