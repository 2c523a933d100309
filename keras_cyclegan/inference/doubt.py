"""Doubt: where a translation shouldn't be trusted, beside how images of the validation set did."""

import functools
from typing import NamedTuple

import keras
import numpy as np

from keras_cyclegan.data import from_unit, resize_image, to_unit
from keras_cyclegan.inference.images import Picture, to_float
from keras_cyclegan.inference.pictures import translate_all
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.working_size import is_reduced, reduced, window_mean
from keras_cyclegan.networks.efficientnet import efficientnet_lite, normalise

SIGNS = ("round_trip", "discriminator", "strange")
LEVELS = np.linspace(0, 1, 101)  # of the quantiles that are kept
WINDOWS = 16  # along the short side: what is judged together
SMALLEST = 32  # pixels of a side that every discriminator takes
BLOCK = 1024  # pixels, the side of what a discriminator is shown at once
LEAST = 4  # images to calibrate on
PIXELS = 4096  # of each calibration image that are kept
NETWORK, SIDE, STRIDE_8 = "efficientnet-lite0", 224, 1  # whose features tell what is unlike
SHRINKAGE = 0.1  # of their covariance towards independence


class Doubt(NamedTuple):
    """How far one translation is to be doubted.

    Attributes:
        map: array `(height, width, 1)`, float32 from 0 to 1: the share of pixels of the calibration
            images that are less doubtful. 0.9 is the doubt of the worst tenth.
        unlike: whether the features of a frozen network are on average further from those of the
            calibration images than any of these was from the others. None without that network.
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
    if len(pictures) < LEAST:
        raise ValueError(
            f"Doubt is calibrated on {LEAST} images or more. Received {len(pictures)}."
        )
    if judges.back is None and judges.discriminator is None:
        raise ValueError(
            "Doubt needs the way back or a discriminator. This model has one generator alone."
        )
    known, others = pictures[::2], pictures[1::2]  # what is fitted, and what is compared with
    calibration = _fit_features(known)
    random = np.random.default_rng(0)
    found, strange = [], []
    for picture in others if calibration else pictures:
        signs = _signs(judges, picture, calibration, tile, working_size)
        strange.append(signs.get("strange", np.zeros(1)).mean())
        size = min(sign.size for sign in signs.values())
        kept = random.choice(size, min(size, PIXELS), replace=False)
        found.append({name: sign.ravel()[kept] for name, sign in signs.items()})
    signs = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    calibration |= {name: _quantiles(sign) for name, sign in signs.items()}
    calibration["doubt"] = _quantiles(_worst(signs, calibration))
    return calibration | {"strangest": _rounded([max(strange)])}


def doubt_of(judges, picture, calibration, tile, working_size):
    """Compute the `Doubt` of a picture's translation."""
    signs = _signs(judges, picture, calibration, tile, working_size)
    shares = _share(_worst(signs, calibration), calibration["doubt"])[:, :, None]
    whole = resize_image(shares.astype("float32"), picture.pixels.shape[:2]).clip(0, 1)
    unlike = None
    if "strange" in signs:
        unlike = bool(signs["strange"].mean() > calibration["strangest"][0])
    return Doubt(whole, unlike)


def check_calibration(calibration):
    """Return a calibration as read from a file; raise a ValueError if it can't be one."""
    for direction, tables in calibration.items():
        names = {*SIGNS, "doubt", "mean", "precision", "strangest"}
        arrays = [np.asarray(values, "float64") for values in tables.values()]
        if (
            direction not in ("a_to_b", "b_to_a")
            or not {"doubt", "strangest"} < set(tables) <= names
            or any(a.ndim != 1 or not a.size or not np.isfinite(a).all() for a in arrays)
        ):
            raise ValueError(f"This is no calibration of doubt: {direction!r}, {sorted(tables)}.")
    return calibration


def _signs(judges, picture, calibration, tile, working_size):
    """Return what speaks against the translation of a picture, each a map of one size."""
    if is_reduced(picture.pixels, working_size):
        multiple = runner(judges.generator).rule.multiple
        picture = reduced(picture, working_size, multiple, of_change=False)
    image = to_float(picture.pixels)

    def translate(network, unit):
        return translate_all(network, [Picture(unit, lambda made: made)], None, tile, None)[0]

    fake = to_float(translate(judges.generator, image))
    window = max(1, min(image.shape[:2]) // WINDOWS)
    signs = {}
    if judges.back is not None:
        error = np.abs(to_float(translate(judges.back, fake)) - image).mean(axis=-1)
        signs["round_trip"] = window_mean(error, window)
    if judges.discriminator is not None:
        signs["discriminator"] = -window_mean(_logits(judges.discriminator, fake), window)
    if "precision" in calibration:
        off = _features([image])[0] - np.asarray(calibration["mean"])
        precision = np.reshape(calibration["precision"], 2 * (off.shape[-1],))
        strange = np.sqrt(np.einsum("hwi,ij,hwj->hw", off, precision, off))[:, :, None]
        signs["strange"] = resize_image(strange.astype("float32"), image.shape[:2])[:, :, 0]
    return signs


def _logits(discriminator, image):
    """Return the sum of a discriminator's maps of logits at each pixel of an image."""
    result = np.empty(image.shape[:2], "float32")
    height, width = discriminator.input_shape[1:3]
    for top in range(0, len(image), BLOCK):
        for left in range(0, image.shape[1], BLOCK):
            place = slice(top, top + BLOCK), slice(left, left + BLOCK)
            block = image[place]
            sides = (max(side, SMALLEST) for side in block.shape[:2])
            size = tuple(fixed or side for fixed, side in zip((height, width), sides, strict=True))
            logits = discriminator(resize_image(block, size)[None], training=False)
            result[place] = 0.0
            for found in map(keras.ops.convert_to_numpy, keras.tree.flatten(logits)):
                found = found.astype("float32").reshape(*(found.shape[1:3] or (1, 1)), 1)
                result[place] += resize_image(found, block.shape[:2])[:, :, 0]
    return result


def _quantiles(values):
    return _rounded(np.quantile(values, LEVELS))


def _share(values, quantiles):
    return np.interp(values, quantiles, LEVELS)


def _worst(signs, calibration):
    return np.max([_share(sign, calibration[name]) for name, sign in signs.items()], axis=0)


def _fit_features(pictures):
    """Return mean and precision of patches' features; nothing without the network's weights."""
    try:
        features = _features([picture.pixels for picture in pictures])
    except ImportError:
        return {}
    features = features.reshape(-1, features.shape[-1]).astype("float64")
    covariance = np.cov(features.T)
    covariance += SHRINKAGE * (np.diag(np.diag(covariance) + 1e-6) - covariance)
    precision = np.linalg.inv(covariance)
    return {"mean": _rounded(features.mean(axis=0)), "precision": _rounded(precision.ravel())}


def _features(images):
    """Return a frozen network's map at stride 8, `(n, 28, 28, 40)`; gray becomes RGB."""
    colours = [image[:, :, :3] if image.shape[2] >= 3 else image[:, :, :1] for image in images]
    levels = [image if image.dtype == np.uint8 else from_unit(image) for image in colours]
    levels = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in levels]
    small = np.stack([resize_image(image, (SIDE, SIDE)) for image in levels])
    maps = _network().predict(normalise(to_unit(small)), batch_size=32, verbose=0)[STRIDE_8]
    return np.stack([window_mean(each, 3) for each in maps])


@functools.cache
def _network():
    return efficientnet_lite(NETWORK, taps=True)


def _rounded(values):
    return [float(f"{value:.5g}") for value in values]
