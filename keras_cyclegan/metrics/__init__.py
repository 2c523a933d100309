"""Scores of translators: distances of sets, scores against ground truth, and what a cycle loses."""

from keras_cyclegan.metrics.cycle import ContentChange as ContentChange
from keras_cyclegan.metrics.cycle import CycleError as CycleError
from keras_cyclegan.metrics.efficientnet import (
    EfficientNetLite0Features as EfficientNetLite0Features,
)
from keras_cyclegan.metrics.frechet import FrechetInceptionDistance as FrechetInceptionDistance
from keras_cyclegan.metrics.inception import InceptionFeatures as InceptionFeatures
from keras_cyclegan.metrics.kernel import KernelInceptionDistance as KernelInceptionDistance
from keras_cyclegan.metrics.paired import MeanAbsoluteError as MeanAbsoluteError
from keras_cyclegan.metrics.paired import PeakSignalToNoiseRatio as PeakSignalToNoiseRatio
from keras_cyclegan.metrics.paired import StructuralSimilarity as StructuralSimilarity
from keras_cyclegan.metrics.score import ProtocolMismatchError as ProtocolMismatchError
from keras_cyclegan.metrics.score import Score as Score
from keras_cyclegan.metrics.segmentation import FACADES_PALETTE as FACADES_PALETTE
from keras_cyclegan.metrics.segmentation import SegmentationScores as SegmentationScores
