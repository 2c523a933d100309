"""Which values of a set become -1 and 1: given, measured over all of its images, or refused."""

import logging
from typing import NamedTuple

import numpy as np

from keras_cyclegan.data.pixels import PixelFormat

logger = logging.getLogger(__name__)

QUANTILES = (0.005, 0.995)
LEAST_USED = 1 / 8  # part of a dtype's range that a set uses, if no range is given
SAMPLED = 2**18  # pixels of a set that quantiles are taken of, at least 16 of every image
WORDS = ("auto", "auto_per_channel", "image")


class Statistics(NamedTuple):
    """The lowest and highest values of each channel, and pixels `(n, channels)`: all, if few."""

    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


def measure(image, number, count):
    """Return the `Statistics` of an image, the one of that number of so many."""
    pixels = image.reshape(-1, image.shape[-1])
    sample, size = pixels, max(SAMPLED // count, 16)
    if len(pixels) > size:
        sample = pixels[np.random.default_rng(number).integers(0, len(pixels), size)]
    return Statistics(pixels.min(axis=0), pixels.max(axis=0), sample.astype("float32"))


def merged(found):
    """Return the `Statistics` of several images together."""
    low, high, sample = zip(*found, strict=True)
    return Statistics(np.min(low, axis=0), np.max(high, axis=0), np.concatenate(sample))


def check_range(name, given):
    """Return None, one of `WORDS`, or two lists of numbers, one for each channel or for all.

    As text it is LOW HIGH, or LOW,LOW,… HIGH,HIGH,… with one for each channel.
    """
    if given is None or given in WORDS:
        return given
    try:
        ends = [end.split(",") for end in given.split()] if isinstance(given, str) else given
        low, high = (np.asarray(end, "float64").reshape(-1).tolist() for end in ends)
    except (TypeError, ValueError):
        raise ValueError(
            f"`{name}` is (LOW, HIGH), two numbers or two tuples with one for each channel; "
            f'"auto", "auto_per_channel" or "image". Received {given!r}.'
        ) from None
    return low, high


def per_image_format(dtype, channels, unit=""):
    """Return the format of images whose own lowest and highest values become -1 and 1."""
    ends = (0.0, 1.0) if dtype == "float32" else PixelFormat(dtype).ends
    return PixelFormat(dtype, channels, *ends, unit, per_image=True)


def find_format(domain, title, stored, given, unit=""):
    """Decide which values of a domain's `Stored` images become -1 and 1, as `PixelFormat`.

    `domain` and `title` are for messages; `given` is of `check_range`.
    """
    images, _, statistics = stored
    kind = images.dtype.name, images.channels
    if given == "image":
        return per_image_format(*kind, unit)
    if given is None:
        whole = PixelFormat(*kind, 0.0, 1.0)
        if whole.dtype != "uint8":
            _refuse_small_part(domain, title, whole, statistics)
        return PixelFormat(*kind, *whole.ends, unit)
    if given in WORDS:
        given = _quantiles(statistics, per_channel=given != "auto")
    found = PixelFormat(*kind, *given, unit)
    values = statistics.sample
    beyond = 100 * np.mean((values < np.float32(found.low)) | (values > np.float32(found.high)))
    logger.info(
        "%s: %s; %.2f %% of the values lie beyond this range and are clipped.", title, found, beyond
    )
    return found


def _quantiles(statistics, per_channel=False):
    """Return the values below which and above which half a percent of the pixels lie."""
    low, high = np.quantile(statistics.sample, QUANTILES, axis=0 if per_channel else None)
    if np.any(low >= high):
        low, high = statistics.low, statistics.high
        low, high = (low, high) if per_channel else (low.min(), high.max())
    return np.asarray(low).tolist(), np.asarray(high).tolist()


def _refuse_small_part(domain, title, whole, statistics):
    """Raise a ValueError if the values use a small part of the range of their dtype."""
    low, high = float(statistics.low.min()), float(statistics.high.max())
    lowest, highest = whole.ends
    part = (high - low) / (highest - lowest)
    if part >= LEAST_USED:
        return
    auto = " to ".join(f"{end:g}" for end in _quantiles(statistics))
    grays = "" if whole.dtype == "float32" else f"; {round(part * 255) + 1} of 256 grays are left"
    raise ValueError(
        f"{title} holds {whole.dtype} with values from {low:g} to {high:g}: scaled by all that "
        f"such files hold, from {lowest:g} to {highest:g}, it would be nearly flat{grays}. Say "
        f"which values become -1 and 1: `range_{domain}=({low:g}, {high:g})`, on the command line "
        f'`--range-{domain} {low:g} {high:g}`; or `range_{domain}="auto"`, `--range-{domain} '
        f"auto`, the quantiles of all images: here {auto}."
    )
