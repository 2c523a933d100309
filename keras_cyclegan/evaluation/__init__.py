"""Scores of a translator on a set of images: as a table, as JSON, and as an HTML page."""

from keras_cyclegan.evaluation.evaluate import Evaluation, evaluate
from keras_cyclegan.evaluation.palette import read_palette
from keras_cyclegan.evaluation.report import write_report
from keras_cyclegan.evaluation.scores import Measured
from keras_cyclegan.evaluation.table import print_scores, write_json

__all__ = [
    "Evaluation",
    "Measured",
    "evaluate",
    "print_scores",
    "read_palette",
    "write_json",
    "write_report",
]
