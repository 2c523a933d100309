"""Which values of a set become -1 and 1: given, measured over all of its images, or refused."""

import logging
import numbers
from typing import NamedTuple

import numpy as np

from keras_cyclegan.data.pixels import PixelFormat

logger = logging.getLogger(__name__)

QUANTILES = (0.005, 0.995)
LEAST_USED = 1 / 8  # part of a dtype's range that a set uses, if no range is given
SAMPLED = 2**18  # pixels of a set that quantiles are taken of, at least one row of every image


class Statistics(NamedTuple):
    """What is known of a set's values.

    Attributes:
        low: lowest value of each channel, over all pixels.
        high: highest value of each channel, over all pixels.
        sample: array `(n, channels)`: pixels of all images, all of them in a small set.
    """

    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


class Measure:
    """Collects the `Statistics` of a set, image by image."""

    def __init__(self, count):
        self.each = max(SAMPLED // count, 16)
        self.random = np.random.default_rng(0)
        self.found = []

    def add(self, image):
        pixels = image.reshape(-1, image.shape[-1])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        if len(pixels) > self.each:
            pixels = pixels[self.random.integers(0, len(pixels), self.each)]
        self.found.append(Statistics(low, high, pixels.astype("float32")))

    def result(self):
        low, high, sample = zip(*self.found, strict=True)
        return Statistics(np.min(low, axis=0), np.max(high, axis=0), np.concatenate(sample))


def check_range(name, given):
    """Return a range as None, `"auto"`, `"auto_per_channel"`, `"image"`, or (low, high)."""
    if given is None or given in ("auto", "auto_per_channel", "image"):
        return given
    if isinstance(given, str):
        try:
            given = tuple(float(end) for end in given.replace(",", " ").replace(":", " ").split())
        except ValueError:
            given = (given,)
    ends = np.asarray(given, dtype=object)
    if len(ends) != 2 or not all(isinstance(n, numbers.Real) for n in ends.ravel()):
        raise ValueError(
            f"`{name}` is (LOW, HIGH), two numbers or two tuples with one for each channel; "
            f'"auto", "auto_per_channel" or "image". Received {given!r}.'
        )
    return given


def find_format(domain, title, dtype, channels, statistics, given, unit=""):
    """Decide which values of a domain's images become -1 and 1.

    Args:
        domain: `"a"` or `"b"`.
        title: the name of the set in messages.
        dtype: dtype that the images are kept in.
        channels: int.
        statistics: `Statistics`, or None for 8 bits without a given range.
        given: see `check_range`.
        unit: string.

    Returns:
        `PixelFormat`.

    Raises:
        ValueError: the values use a small part of the range of their dtype, and none is given.
    """
    whole = PixelFormat(dtype, channels, 0.0, 1.0, unit)
    if given == "image":
        low, high = whole.ends if dtype != "float32" else (0.0, 1.0)
        return PixelFormat(dtype, channels, low, high, unit, per_image=True)
    if given is None:
        if dtype != "uint8":
            _refuse_small_part(domain, title, whole, statistics)
        return PixelFormat(dtype, channels, *whole.ends, unit)
    if given in ("auto", "auto_per_channel"):
        low, high = quantiles(statistics, per_channel=given != "auto")
    else:
        low, high = given
    found = PixelFormat(dtype, channels, low, high, unit)
    beyond = np.mean(
        (statistics.sample < np.float32(found.low)) | (statistics.sample > np.float32(found.high))
    )
    logger.info(
        "%s: %s; %.2f %% of the values lie beyond this range and are clipped.",
        title,
        found,
        100 * beyond,
    )
    return found


def quantiles(statistics, per_channel=False):
    """Return the values below which and above which half a percent of the pixels lie."""
    low, high = np.quantile(statistics.sample, QUANTILES, axis=0 if per_channel else None)
    if np.any(low >= high):
        low, high = (statistics.low, statistics.high)
        low, high = (low, high) if per_channel else (low.min(), high.max())
    return np.asarray(low).tolist(), np.asarray(high).tolist()


def _refuse_small_part(domain, title, whole, statistics):
    low, high = float(statistics.low.min()), float(statistics.high.max())
    lowest, highest = whole.ends
    part = (high - low) / (highest - lowest)
    if part >= LEAST_USED:
        return
    auto = " to ".join(f"{end:g}" for end in quantiles(statistics))
    grays = "" if whole.dtype == "float32" else f"; {round(part * 255) + 1} of 256 grays are left"
    power = next((2**bits - 1 for bits in range(8, 17) if low >= 0 and high < 2**bits), 0)
    ends = (0, power) if power and whole.dtype != "float32" else (f"{low:g}", f"{high:g}")
    raise ValueError(
        f"{title} holds {whole.dtype} with values from {low:g} to {high:g}: scaled by all that "
        f"such files hold, from {lowest:g} to {highest:g}, it would be nearly flat{grays}. Say "
        f"which values become -1 and 1: `range_{domain}=({ends[0]}, {ends[1]})`, on the command "
        f'line `--range-{domain} {ends[0]} {ends[1]}`; or `range_{domain}="auto"`, `--range-'
        f"{domain} auto`, the quantiles of all images: here {auto}."
    )
