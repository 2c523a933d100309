"""What a translator scores on a set of images: as a table, as JSON, and as a page to look at."""

from keras_cyclegan.evaluation.evaluate import Evaluation as Evaluation
from keras_cyclegan.evaluation.evaluate import evaluate as evaluate
from keras_cyclegan.evaluation.palette import read_palette as read_palette
from keras_cyclegan.evaluation.report import write_report as write_report
from keras_cyclegan.evaluation.scores import Measured as Measured
from keras_cyclegan.evaluation.table import print_scores as print_scores
from keras_cyclegan.evaluation.table import write_json as write_json
