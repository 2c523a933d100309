"""What `keras-cyclegan check` finds in a set of images."""

from typing import Any, NamedTuple

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.check.probe import Probe, network_patches, probe
from keras_cyclegan.check.survey import Survey, duplicates, survey
from keras_cyclegan.data.load import check_channels
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import PixelFormat
from keras_cyclegan.data.ranges import LEAST_USED
from keras_cyclegan.data.sources import Splits, find_splits

MIN_PROBED = 10  # images of each domain
TOLD = 0.98  # accuracy from which one look is enough to tell the domains
ALIKE = 0.6


class Checked(NamedTuple):
    """What `check_data` found: in each of `"train_a"`, `"train_b"`, perhaps `"test_a"`, `"test_b"`.

    Attributes:
        surveys: dict from these to `Survey`.
        duplicates: lists of names of images that are equal, over all of these.
        probe: what tells A from B, or None where there are too few images.
        warnings: what to look at before training.
    """

    surveys: dict[str, Survey]
    duplicates: list[list[str]]
    probe: Probe | None
    warnings: list[str]


def check_data(
    source: PathLike | tuple[Any, Any],
    channels: int | tuple[int, int] = 3,
    max_pixels: int = MAX_PIXELS,
) -> Checked:
    """Look at all images of a source before training on them; the arguments are `data.load`'s.

    Sizes, bits, ranges and channels; unreadable and equal images, also across training and test;
    and how well a linear probe tells A from B: translators learn what it sees, also where that is a
    border, a logo or a trace of JPEG. It sees the maps of an EfficientNet-Lite0 (extra `scores`),
    or without it colours, contrast, edges and traces of JPEG.

    Example:

    ```python
    check_data("glyphs").surveys["train_a"].count  # 778
    ```
    """
    channels = check_channels(channels)
    splits = find_splits(source, channels)
    surveys = {
        name: survey(split, channels[name.endswith("_b")], max_pixels)
        for name, split in zip(Splits._fields[:4], splits[:4], strict=True)
        if split is not None
    }
    copies = [[image.copy for image in surveys[f"train_{domain}"].copies] for domain in "ab"]
    found = None
    if min(map(len, copies)) >= MIN_PROBED:
        found = probe(np.stack(copies[0]), np.stack(copies[1]), network_patches())
    equal = duplicates(surveys.values())
    warnings = [text for name, each in surveys.items() for text in _warnings_of(name, each)]
    warnings += [*_warnings_across(surveys, equal), *_warnings_of_probe(found)]
    return Checked(surveys, equal, found, warnings)


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


def _warnings_of_probe(found):
    told = found and f"A linear probe tells A from B in {found.accuracy:.0%} of images"
    if found and found.accuracy >= TOLD:
        yield (
            f"{told}: see in the page whether by what shall be translated, or by a border, a logo "
            "or the background."
        )
    if found and found.accuracy <= ALIKE:
        yield f"{told}, little more than chance: are both folders of different kinds?"
