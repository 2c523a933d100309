"""Doubt: where a translation shouldn't be trusted, beside how images of the validation set did."""

from typing import NamedTuple

import keras
import numpy as np

from keras_cyclegan.data import from_unit, resize_image, to_unit
from keras_cyclegan.inference.images import Picture, to_float
from keras_cyclegan.inference.pictures import translate_all
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.working_size import is_reduced, reduced
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

LEVELS = np.linspace(0, 1, 101)  # of the quantiles that are kept
WINDOWS = 16  # along the short side: what is judged together
BLOCK = 1024  # pixels, the side of what a discriminator is shown at once
PIXELS = 4096  # of each calibration image that are kept
NETWORK, SIDE = "efficientnet-lite0", 224  # whose features tell unlike images
MARGIN = 1.1  # times the largest distance among the calibration images


class Doubt(NamedTuple):
    """How far one translation is to be doubted.

    Attributes:
        map: array `(height, width, 1)`, float32 from 0 to 1: the share of pixels of the calibration
            images that are less doubtful. 0.9 is the doubt of the worst tenth.
        unlike: whether the image is further from the calibration images, in the features of a
            frozen network, than any of these was from the others. None if that wasn't calibrated.
    """

    map: np.ndarray
    unlike: bool | None


class Judges(NamedTuple):
    """What doubts the translations of one direction, as far as a model has it."""

    generator: keras.Model
    back: keras.Model | None
    discriminator: keras.Model | None


def calibrate(judges, pictures, tile, working_size):
    """Return what `doubt_of` compares with, lists of floats by name, from images to translate."""
    if len(pictures) < 4:
        raise ValueError(f"Doubt is calibrated on 4 images or more. Received {len(pictures)}.")
    if judges.back is None and judges.discriminator is None:
        raise ValueError(
            "Doubt needs the way back or a discriminator. This model has one generator alone."
        )
    random = np.random.default_rng(0)
    signs = []
    for picture in pictures:
        found = _signs(judges, _small(picture, judges, working_size), tile)
        size = next(iter(found.values())).size
        kept = random.choice(size, min(size, PIXELS), replace=False)
        signs.append({name: sign.ravel()[kept] for name, sign in found.items()})
    signs = {name: np.concatenate([found[name] for found in signs]) for name in signs[0]}
    calibration = {name: _quantiles(sign) for name, sign in signs.items()}
    calibration["doubt"] = _quantiles(_worst(signs, calibration))
    try:
        features = _features([picture.pixels for picture in pictures])
    except ImportError:
        return calibration
    known, others = features[::2], features[1::2]
    calibration["mean"] = _rounded(known.mean(axis=0))
    calibration["deviation"] = _rounded(known.std(axis=0) + 1e-3)
    distances = [_distance(feature, calibration) for feature in others]
    return {**calibration, "distance": [float(max(distances) * MARGIN)]}


def doubt_of(judges, picture, calibration, tile, working_size):
    """Compute the `Doubt` of a picture's translation."""
    signs = _signs(judges, _small(picture, judges, working_size), tile)
    shares = _share(_worst(signs, calibration), calibration["doubt"])
    shares = shares[:, :, None].astype("float32")
    whole = resize_image(shares, picture.pixels.shape[:2]).clip(0, 1)
    if "distance" not in calibration:
        return Doubt(whole, None)
    distance = _distance(_features([picture.pixels])[0], calibration)
    return Doubt(whole, bool(distance > calibration["distance"][0]))


def check_calibration(calibration):
    """Return a calibration as read from a file; raise a ValueError if it can't be one."""
    for direction, tables in calibration.items():
        names = {"round_trip", "discriminator", "doubt", "mean", "deviation", "distance"}
        arrays = [np.asarray(values, "float64") for values in tables.values()]
        if (
            direction not in ("a_to_b", "b_to_a")
            or not {"doubt"} < set(tables) <= names
            or any(a.ndim != 1 or not a.size or not np.isfinite(a).all() for a in arrays)
        ):
            raise ValueError(f"This is no calibration of doubt: {direction!r}, {sorted(tables)}.")
    return calibration


def _small(picture, judges, working_size):
    """Return a picture as floats, at the size at which it is translated."""
    if is_reduced(picture.pixels, working_size):
        multiple = runner(judges.generator).rule.multiple
        picture = reduced(picture, working_size, multiple, of_change=False)
    return to_float(picture.pixels)


def _signs(judges, image, tile):
    """Return what speaks against the translation of an image, each a map of the image's size."""

    def translate(network, unit):
        return translate_all(network, [Picture(unit, lambda made: made)], None, tile, None)[0]

    fake = translate(judges.generator, image)
    window = max(1, min(image.shape[:2]) // WINDOWS)
    signs = {}
    if judges.back is not None:
        error = np.abs(to_float(translate(judges.back, to_float(fake))) - image).mean(axis=-1)
        signs["round_trip"] = _blurred(error, window)
    if judges.discriminator is not None:
        signs["discriminator"] = -_blurred(_logits(judges.discriminator, to_float(fake)), window)
    return signs


def _logits(discriminator, image):
    """Return a discriminator's mean logit at each pixel of an image, over all of its maps."""
    result = np.empty(image.shape[:2], "float32")
    height, width = discriminator.input_shape[1:3]
    for top in range(0, len(image), BLOCK):
        for left in range(0, image.shape[1], BLOCK):
            place = slice(top, top + BLOCK), slice(left, left + BLOCK)
            block = image[place]
            size = height or block.shape[0], width or block.shape[1]
            maps = keras.tree.flatten(discriminator(resize_image(block, size)[None], training=False))
            maps = [keras.ops.convert_to_numpy(each).astype("float32") for each in maps]
            maps = [each.reshape(*(each.shape[1:3] or (1, 1)), -1) for each in maps]
            means = [each.mean(axis=-1, keepdims=True) for each in maps]
            result[place] = sum(resize_image(each, block.shape[:2])[:, :, 0] for each in means)
    return result


def _blurred(values, window):
    """Return the mean of the square around each pixel, mirrored at the edges."""
    before, after = window // 2, (window - 1) // 2
    sums = np.pad(values.astype("float64"), [(before, after)] * 2, "symmetric")
    sums = np.pad(sums, [(1, 0)] * 2).cumsum(axis=0).cumsum(axis=1)
    sums = sums[window:] - sums[:-window]
    return ((sums[:, window:] - sums[:, :-window]) / window**2).astype("float32")


def _quantiles(values):
    return _rounded(np.quantile(values, LEVELS))


def _share(values, quantiles):
    return np.interp(values, quantiles, LEVELS)


def _worst(signs, calibration):
    return np.max([_share(sign, calibration[name]) for name, sign in signs.items()], axis=0)


def _features(images):
    """Return the pooled features of a frozen network, `(n, 1280)`; gray becomes RGB."""
    colours = [image[:, :, :3] if image.shape[2] >= 3 else image[:, :, :1] for image in images]
    levels = [image if image.dtype == np.uint8 else from_unit(image) for image in colours]
    levels = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in levels]
    small = np.stack([resize_image(image, (SIDE, SIDE)) for image in levels])
    network = efficientnet_lite(NETWORK)
    return network.predict(normalise(to_unit(small)), batch_size=32, verbose=0)


def _distance(feature, calibration):
    mean, deviation = (np.asarray(calibration[name]) for name in ("mean", "deviation"))
    return float(np.sqrt((((feature - mean) / deviation) ** 2).mean()))


def _rounded(values):
    return [float(f"{value:.5g}") for value in values]
