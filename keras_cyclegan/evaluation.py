"""Scores of a translator on a set of images: as a table, as JSON, and as an HTML page."""

from keras_cyclegan.scores.evaluate import evaluate
from keras_cyclegan.scores.labels import read_palette
from keras_cyclegan.scores.report import print_scores, write_json, write_report
from keras_cyclegan.scores.score import Evaluation, Measured

__all__ = [
    "Evaluation",
    "Measured",
    "evaluate",
    "print_scores",
    "read_palette",
    "write_json",
    "write_report",
]
