"""Generators and discriminators, one family a file."""

from keras_cyclegan.networks.attention import AttentionGenerator
from keras_cyclegan.networks.feature import FeatureGenerator
from keras_cyclegan.networks.patchgan import (
    MultiScaleDiscriminator,
    PatchDiscriminator,
    PixelDiscriminator,
)
from keras_cyclegan.networks.projected import ProjectedDiscriminator
from keras_cyclegan.networks.resnet import ResNetGenerator
from keras_cyclegan.networks.ugatit import UGATITDiscriminator, UGATITGenerator
from keras_cyclegan.networks.unet import UNetGenerator

__all__ = [
    "AttentionGenerator",
    "FeatureGenerator",
    "MultiScaleDiscriminator",
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ProjectedDiscriminator",
    "ResNetGenerator",
    "UGATITDiscriminator",
    "UGATITGenerator",
    "UNetGenerator",
]
