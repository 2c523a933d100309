"""Scores of translators: distances of sets, scores against ground truth, and cycle errors."""

from keras_cyclegan.metrics.cycle import ContentChange, CycleError
from keras_cyclegan.metrics.efficientnet import EfficientNetLite0Features
from keras_cyclegan.metrics.frechet import FrechetInceptionDistance
from keras_cyclegan.metrics.inception import InceptionFeatures
from keras_cyclegan.metrics.kernel import KernelInceptionDistance
from keras_cyclegan.metrics.paired import (
    MeanAbsoluteError,
    PeakSignalToNoiseRatio,
    StructuralSimilarity,
)
from keras_cyclegan.metrics.score import ProtocolMismatchError, Score
from keras_cyclegan.metrics.segmentation import FACADES_PALETTE, SegmentationScores

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
