"""Translates a whole set of images there and back."""

import numpy as np

from keras_cyclegan.arguments import check_direction
from keras_cyclegan.inference.pictures import BATCH_PIXELS
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for, generators_of
from keras_cyclegan.scores.cycle import ContentChange, CycleError
from keras_cyclegan.scores.measured import RoundTrips


def translate_all(model, images, direction, formats):
    """Translate images there and, if the model has both generators, back: `RoundTrips`.

    Args:
        model: `CycleGAN`.
        images: array `(n, height, width, channels)`.
        direction: `Direction`.
        formats: `PixelFormat` of the images, and that of their translations.

    Raises:
        ValueError: the generator gives NaN or infinity.
    """
    there = generator_for(model, direction)
    back = generators_of(model).get(check_direction(direction).opposite)
    same_channels = there.input_shape[-1] == there.output_shape[-1]
    translated, errors, changes = [], [], []
    count = max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), count):
        real = formats[0].to_unit(images[start : start + count])
        fake = runner(there)(real)
        if not np.isfinite(fake).all():
            raise ValueError(
                f"The generator of {direction!r} gives NaN or infinity: it diverged in training. "
                "Take an earlier checkpoint."
            )
        translated.append(formats[1].from_unit(fake))
        if back is not None:
            errors.append(np.asarray(CycleError().per_image(real, runner(back)(fake))))
        if same_channels:
            changes.append(np.asarray(ContentChange().per_image(real, fake)))
    return RoundTrips(
        np.concatenate(translated),
        np.concatenate(errors) if errors else None,
        np.concatenate(changes) if changes else None,
    )
