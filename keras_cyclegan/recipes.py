"""The public name of the named tables of training options in `training/recipes.py`."""

from keras_cyclegan.training.recipes import TABLES as TABLES
from keras_cyclegan.training.recipes import attention, contrastive, fast, finetune, paper, ugatit

__all__ = ["attention", "contrastive", "fast", "finetune", "paper", "ugatit"]
