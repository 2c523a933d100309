"""The public name of the tables in `training/recipes.py`."""

from keras_cyclegan.training.recipes import TABLES, Recipe, attention, fast, paper, ugatit

__all__ = ["TABLES", "Recipe", "attention", "fast", "paper", "ugatit"]
