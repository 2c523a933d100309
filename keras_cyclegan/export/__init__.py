"""Generators for runtimes without Keras: SavedModel, ONNX, LiteRT, OpenVINO."""

from keras_cyclegan.export.export import export

__all__ = ["export"]
