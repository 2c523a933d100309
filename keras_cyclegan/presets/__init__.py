"""Pretrained translators: loading, saving, converting and publishing them."""

from keras_cyclegan.networks.checkpoints import convert_network
from keras_cyclegan.presets.convert import convert_checkpoints
from keras_cyclegan.presets.hubs import upload_preset
from keras_cyclegan.presets.table import list_presets

__all__ = ["convert_checkpoints", "convert_network", "list_presets", "upload_preset"]
