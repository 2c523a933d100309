"""Generators for runtimes without Keras: SavedModel, ONNX, LiteRT, OpenVINO."""
