"""The networks and the objective that `emoji.py` trains."""

import keras
from keras import layers

from keras_cyclegan import CycleGAN
from keras_cyclegan.layers import DifferentiableAugmentation, SpectralNormalization
from keras_cyclegan.losses import CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.networks import PatchDiscriminator, ProjectedDiscriminator, ResNetGenerator
from keras_cyclegan.optimizers import LinearDecay, paper_adam

# No change of colours: palettes are what the two hands differ in most.
AUGMENTATION = {
    "brightness": 0.0,
    "saturation": 0.0,
    "contrast": 0.0,
    "translation": 0.1,
    "cutout": 0.2,
}
COLOUR_WIDTHS = (32, 64, 64)
WARM_UP = (100, 400)  # steps in which the generators' rate rises from 0


class WarmDecay(LinearDecay):
    """A rate that rises at first: what new discriminators say makes generators erase pictures."""

    def __call__(self, step):
        first, last = WARM_UP
        risen = (keras.ops.cast(step, "float32") - first) / (last - first)
        return super().__call__(step) * keras.ops.clip(risen, 0.0, 1.0)


def build(side, options):
    """Make the two-way model and compile it.

    Args:
        side: int. Height and width of the pictures.
        options: the command's: `filters`, `blocks`, `rate`, `discriminator_rate`,
            `cycle_weight`, `identity_weight`, `ema`, `dtype`.
    """
    shape = (side, side, 3)
    generators = [
        ResNetGenerator(
            shape,
            filters=options.filters,
            num_blocks=options.blocks,
            upsampling="resize",
            input_skip=True,
            dtype=options.dtype,
            name=name,
        )
        for name in ("generator_ab", "generator_ba")
    ]
    judges = [judge(shape, name, options.dtype) for name in ("discriminator_a", "discriminator_b")]
    model = CycleGAN(*generators, *judges, image_shape=shape)
    model.compile(
        paper_adam(WarmDecay(options.rate)),
        paper_adam(LinearDecay(options.discriminator_rate)),
        cycle_loss=CycleConsistencyLoss(weight=options.cycle_weight),
        identity_loss=IdentityLoss(weight=options.identity_weight, every=2),
        ema_momentum=options.ema,
    )
    return model


def judge(shape, name, dtype):
    """Make a discriminator of three parts, which see the same shifted, partly covered pictures.

    Patch heads on frozen features know what is drawn, and a narrow PatchGAN how. Both normalise
    each image, so that flat colours hardly reach them; the third part has spectral norm alone.
    """
    images = keras.Input((None, None, shape[2]))
    x = DifferentiableAugmentation(**AUGMENTATION, dtype="float32", name="augment")(images)
    maps = ProjectedDiscriminator(shape, pixel_filters=0, dtype=dtype, name="features")(x)
    patches = PatchDiscriminator(shape, 32, num_layers=2, dtype=dtype, name="patches")(x)
    return keras.Model(images, [*maps, patches, _colours(x, dtype)], name=name)


def _colours(x, dtype):
    """Add logits at a quarter of the size, of windows of 26×26, without any norm of images."""

    def convolve(x, width, size, strides, name):
        convolution = layers.Conv2D(width, size, strides, padding="same", dtype=dtype)
        return SpectralNormalization(convolution, name=name, dtype=dtype)(x)

    for i, width in enumerate(COLOUR_WIDTHS):
        x = convolve(x, width, 4, 2 if i < 2 else 1, f"colours{i + 1}")
        x = layers.LeakyReLU(0.2, dtype=dtype, name=f"colours{i + 1}_relu")(x)
    x = convolve(x, 1, 3, 1, "colours_logits")
    return layers.Activation("linear", dtype="float32", name="colours")(x)
