"""What `keras-cyclegan check` finds in a set of images: each image's kind, and what is wrong."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.check.probe import Probe, network_features, probe
from keras_cyclegan.data.decode import open_native
from keras_cyclegan.data.load import check_channels
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import PixelFormat
from keras_cyclegan.data.ranges import LEAST_USED
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.data.sources import Splits, find_splits
from keras_cyclegan.files.untrusted import named, printable

SIDE = 128  # of the copies that the probe sees
PROBED = 400  # images of a domain, evenly spread over its files
MIN_PROBED = 10  # images of each domain
TOLD = 0.98  # accuracy from which one look is enough to tell the domains
ALIKE = 0.6


class Seen(NamedTuple):
    """One image: the hash of its pixels, the mean of each channel, a small RGB copy or None."""

    name: str
    size: tuple[int, int]
    kind: tuple[str, int]
    low: float
    high: float
    digest: str
    mean: np.ndarray
    copy: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found in one split of one domain: images, and messages of those unreadable."""

    title: str
    count: int
    images: list[Seen]
    unreadable: list[str]

    def counted(self, field):
        return collections.Counter(getattr(image, field) for image in self.images)

    @property
    def ends(self):
        """The lowest and the highest value of all images."""
        return min(image.low for image in self.images), max(image.high for image in self.images)

    @property
    def probed(self):
        return [image for image in self.images if image.copy is not None]


class Checked(NamedTuple):
    """What `check_data` found."""

    surveys: dict[str, Survey]  # of "train_a", "train_b", perhaps "test_a" and "test_b"
    duplicates: list[list[str]]  # names of images that are equal, over all of these
    probe: Probe | None  # None where there are too few images, or no weights
    warnings: list[str]  # what to look at before training


def check_data(
    source: PathLike | tuple[Any, Any],
    channels: int | tuple[int, int] = 3,
    max_pixels: int = MAX_PIXELS,
) -> Checked:
    """Look at all images of a source before training on them; the arguments are `data.load`'s.

    Sizes, bits, ranges and channels; unreadable and equal images, also across training and test;
    and how well a linear probe on maps of an EfficientNet-Lite0 (extra `scores`) tells A from B:
    translators learn what it sees, also where that is a border, a logo or a trace of JPEG.
    """
    channels = check_channels(channels)
    splits = find_splits(source, channels)
    surveys = {
        name: survey(split, channels[name.endswith("_b")], max_pixels)
        for name, split in zip(Splits._fields[:4], splits[:4], strict=True)
        if split is not None
    }
    equal = duplicates(surveys.values())
    warnings = [text for name, each in surveys.items() for text in _warnings_of(name, each)]
    warnings += _warnings_across(surveys, equal)
    found = None
    probed = [[image.copy for image in surveys[f"train_{domain}"].probed] for domain in "ab"]
    if min(map(len, probed)) >= MIN_PROBED:
        try:
            found = probe(*map(network_features, map(np.stack, probed)))
        except ImportError as error:
            warnings.append(f"What tells A from B isn't measured. {error}")
    if found:
        told = f"A linear probe tells A from B in {found.accuracy:.0%} of images"
        if found.accuracy >= TOLD:
            by = "by what shall be translated, or by a border, a logo or the background"
            warnings.append(f"{told}: see in the page whether {by}.")
        elif found.accuracy <= ALIKE:
            warnings.append(f"{told}, little more than chance: do the folders differ in kind?")
    return Checked(surveys, equal, found, warnings)


def survey(split, channels, max_pixels):
    """Open every image of a `Split`, and note what it is."""
    step = max(1, split.count // PROBED)

    def look(numbered):
        number, (name, source) = numbered
        try:
            drawn = isinstance(source, np.ndarray)
            image = source if drawn else open_native(source, channels, max_pixels)
        except (ImportError, OSError, ValueError) as error:
            return named(name, error)
        return Seen(
            split.names[number],
            image.shape[:2],
            (image.dtype.name, image.shape[2]),
            float(image.min()),
            float(image.max()),
            hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).hexdigest(),
            image.mean(axis=(0, 1), dtype="float64"),
            _small(image) if number % step == 0 else None,
        )

    records = split.records()
    if split.draw:
        records = zip(split.names, split.draw((32, 32), channels), strict=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(look, enumerate(records)))
    unreadable = [each for each in found if isinstance(each, str)]
    images = [each for each in found if isinstance(each, Seen)]
    return Survey(split.title, split.count, images, unreadable)


def _small(image):
    """Return a uint8 copy `(SIDE, SIDE, 3)`, whose contrast is its own where it isn't of 8 bits."""
    if image.dtype != np.uint8:
        low, high = np.quantile(image, [0.005, 0.995])
        image = np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255).astype("uint8")
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return resize_image(np.ascontiguousarray(image), (SIDE, SIDE))


def duplicates(surveys):
    """Return lists of `"folder: name"` of images whose pixels are equal, over all splits."""
    by_hash = collections.defaultdict(list)
    for each in surveys:
        for image in each.images:
            name = f"{os.path.basename(each.title)}: {printable(image.name)}"
            by_hash[image.digest].append(name)
    return [names for names in by_hash.values() if len(names) > 1]


def _warnings_of(name, survey):
    if survey.unreadable:
        yield (
            f"{survey.title}: {len(survey.unreadable)} of {survey.count} images can't be used. "
            "Training ends before it begins; --on-error skip leaves them out."
        )
    kinds = survey.counted("kind")
    if len(kinds) > 1:
        listed = ", ".join(f"{n} of {d} × {c}" for (d, c), n in kinds.most_common())
        yield f"{survey.title} mixes kinds of pixels ({listed}): bring them to one."
    dtypes = {dtype for dtype, _ in kinds}
    if not dtypes or "uint8" in dtypes:
        return
    low, high = survey.ends
    lowest, highest = PixelFormat(min(dtypes)).ends
    if (high - low) / (highest - lowest) < LEAST_USED:
        yield (
            f"{survey.title} holds values from {low:g} to {high:g}: give --range-{name[-1]} "
            f"{low:g} {high:g}, or --range-{name[-1]} auto."
        )


def _warnings_across(surveys, equal):
    across = [names for names in equal if len({name.partition(":")[0] for name in names}) > 1]
    if across:
        yield (
            f"{len(across)} images are in more than one folder, {', '.join(across[0][:2])} for "
            "example: scores on test images that were trained on say nothing."
        )
    if len(equal) > len(across):
        yield f"{len(equal) - len(across)} images come more than once in a folder."
    a, b = surveys["train_a"], surveys["train_b"]
    if not (a.images and b.images):
        return
    sizes = [np.median([image.size for image in each.images], axis=0) for each in (a, b)]
    ratios = [width / height for height, width in sizes]
    if max(ratios) > 1.15 * min(ratios):
        shapes = ["{:.0f}×{:.0f}".format(*size) for size in sizes]
        yield (
            f"Images of A are {shapes[0]}, of B {shapes[1]} in the median: stretched to one size, "
            "they differ in their proportions, and that is learned. --resize cover keeps them."
        )
