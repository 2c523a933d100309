"""Translating images of any kind and size."""

from keras_cyclegan.inference.translate import reconstruct, translate

__all__ = [
    "reconstruct",
    "translate",
]
