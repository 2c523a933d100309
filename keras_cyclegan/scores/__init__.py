"""Scores of translators: distances of sets, errors against ground truth, cycle errors, a judge's.

A score has a file: its metric, and `measure`, which yields what `evaluate` shows of it. `MEASURES`
is the order in which they are shown.
"""

from keras_cyclegan.scores import cycle, distances, judge, labels, paired
from keras_cyclegan.scores.cycle import ContentChange, CycleError
from keras_cyclegan.scores.extractors import EfficientNetLite0Features
from keras_cyclegan.scores.frechet import FrechetInceptionDistance
from keras_cyclegan.scores.inception import InceptionFeatures
from keras_cyclegan.scores.kernel import KernelInceptionDistance
from keras_cyclegan.scores.labels import FACADES_PALETTE, SegmentationScores
from keras_cyclegan.scores.paired import (
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    StructuralSimilarity,
)
from keras_cyclegan.scores.score import ProtocolMismatchError, Score

MEASURES = (paired.measure, labels.measure, distances.measure, cycle.measure, judge.measure)

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
