"""The networks and the objective that `emoji.py` trains."""

import keras
from keras import layers, ops
from masked_cyclegan import MaskedCycleGAN

from keras_cyclegan import CycleGAN
from keras_cyclegan.layers import SpectralNormalization
from keras_cyclegan.losses import CycleConsistencyLoss
from keras_cyclegan.networks import PatchDiscriminator, ProjectedDiscriminator, ResNetGenerator
from keras_cyclegan.optimizers import LinearDecay, paper_adam

COLOUR_WIDTHS = (32, 64, 64)
ROOM = 9  # side of the square around each point of ink that counts as ink: hands draw wider or less
WARM_UP = (100, 400)  # steps in which the generators' rate rises from 0


class WarmDecay(LinearDecay):
    """A rate that rises at first: what new discriminators say makes generators erase pictures."""

    def __call__(self, step):
        first, last = WARM_UP
        risen = (ops.cast(step, "float32") - first) / (last - first)
        return super().__call__(step) * ops.clip(risen, 0.0, 1.0)


class InkCycleGAN(MaskedCycleGAN):
    """A `CycleGAN` whose pictures bring their opacity as a fourth channel, -1 to 1.

    Discriminators count patches by the ink in them, half a patch as all of it: blank paper is the
    same in both hands, and a generator that erases would be called real. What is drawn beyond four
    pixels from the ink is wiped off before they see it; `keep_weight` is for leaving it blank.
    """

    keep_weight = 5.0

    def unpack(self, data):
        images = super().unpack(data)
        self.masks = [ops.max_pool(ink, ROOM, 1, padding="same") for ink in self.masks]
        return images

    def _fool(self, discriminator, fake, real, training):
        ink = self.masks[0] if discriminator is self.discriminator_b else self.masks[1]
        judged = by_ink(discriminator(fake, training=training), ink, 1.0)
        return self.adversarial_loss.generator(judged)

    def discriminator_losses(self, real_a, real_b, fake_a, fake_b, training):
        ink_a, ink_b = self.masks
        losses = {}
        for domain, discriminator, real, ink, fake, ink_of_fake in (
            ("a", self.discriminator_a, real_a, ink_a, fake_a, ink_b),
            ("b", self.discriminator_b, real_b, ink_b, fake_b, ink_a),
        ):
            losses[f"discriminator_{domain}"] = self.adversarial_loss.discriminator(
                by_ink(discriminator(real, training=training), ink, 1.0),
                by_ink(discriminator(fake, training=training), ink_of_fake, 0.0),
            )
        return losses

    def save_to_preset(self, preset, **options):
        """Save the generators, as those of a `CycleGAN`."""
        CycleGAN(*self.generators(), image_shape=self.image_shape).save_to_preset(preset, **options)


def by_ink(maps, ink, target):
    """Least squares' logits where there is ink, and in their place what is asked of them elsewhere.

    Args:
        maps: list of `(n, rows, columns, 1)`.
        ink: `(n, height, width, 1)` in [0, 1].
        target: float. 1 where they are to be called real, 0 where translated.
    """
    judged = []
    for logits in maps:
        share = ops.image.resize(ink, logits.shape[1:3], antialias=True)
        share = ops.clip(2.0 * share, 0.0, 1.0)
        judged.append(share * logits + (1.0 - share) * target)
    return judged


def build(side, options):
    """Make the two-way model and compile it.

    Args:
        side: int. Height and width of the pictures.
        options: the command's: `filters`, `blocks`, `rate`, `discriminator_rate`,
            `cycle_weight`, `ema`, `dtype`.
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
    # The pool would keep translations without their ink.
    model = InkCycleGAN(*generators, *judges, image_shape=shape, pool_size=0)
    model.compile(
        paper_adam(WarmDecay(options.rate)),
        paper_adam(LinearDecay(options.discriminator_rate)),
        cycle_loss=CycleConsistencyLoss(weight=options.cycle_weight),
        identity_loss=None,
        ema_momentum=options.ema,
    )
    return model


def judge(shape, name, dtype):
    """Make a discriminator of three parts.

    Patch heads on frozen features, of pictures at twice their size, know what is drawn, a narrow
    PatchGAN how. Both normalise each image, so that flat colours hardly reach them; the third part
    has spectral norm alone.
    """
    images = keras.Input((None, None, shape[2]))
    larger = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype, name="larger")(images)
    maps = ProjectedDiscriminator(shape, pixel_filters=0, dtype=dtype, name="features")(larger)
    patches = PatchDiscriminator(shape, 32, num_layers=2, dtype=dtype, name="patches")(images)
    return keras.Model(images, [*maps, patches, _colours(images, dtype)], name=name)


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
