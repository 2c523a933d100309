"""What `keras-cyclegan check` finds in a set of images."""

import dataclasses
from typing import Any

import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.check.probe import Probe, network_patches, probe
from keras_cyclegan.check.survey import Survey, duplicates, survey
from keras_cyclegan.data.load import check_channels
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.ranges import LEAST_USED
from keras_cyclegan.data.sources import Splits, find_source

MIN_PROBED = 10  # images of each domain
TOLD = 0.98  # accuracy from which one look is enough to tell the domains
ALIKE = 0.6


@dataclasses.dataclass(frozen=True)
class Checked:
    """The result of `check_data`.

    Attributes:
        surveys: dict of `"train_a"`, `"train_b"`, and perhaps `"test_a"` and `"test_b"` to what was
            found in each.
        duplicates: list of lists of names of images that are equal, over all of these.
        probe: what tells A from B, or None where there are too few images.
        warnings: list of strings: what to look at before training.

    Example:

    ```python
    checked = check_data("glyphs")
    round(checked.probe.accuracy, 1)  # 1.0: the typefaces are told apart
    ```
    """

    surveys: dict[str, Survey]
    duplicates: list[list[str]]
    probe: Probe | None
    warnings: list[str]


def check_data(
    source: PathLike | tuple[Any, Any],
    channels: int | tuple[int, int] = 3,
    features: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Checked:
    """Look at all images of a source before training on them.

    Counts, sizes, bits, ranges and channels; files that can't be read, and equal images, also
    across training and test; and how well a linear probe on frozen features tells A from B.
    Translators learn exactly what it sees: where that is a border, a logo or a trace of JPEG, they
    learn that.

    Args:
        source: see `data.load`.
        channels: int, 3 by default, or `(channels_a, channels_b)`; what training will ask for.
        features: `"network"`, the maps of an EfficientNet-Lite0 trained on ImageNet (extra
            `scores`), or `"statistics"`, colours, contrast, edges and traces of JPEG. None, the
            default, takes the first if it is installed.
        max_pixels: int, 60,000,000 by default; see `data.load`.

    Returns:
        `Checked`.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder is empty.
        ImportError: `features` is `"network"`, and its weights aren't installed.

    Example:

    ```python
    checked = check_data("glyphs", features="statistics")
    checked.surveys["train_a"].count  # 778
    ```
    """
    channels = check_channels(channels)
    splits = find_source(source, channels).splits()
    surveys = {
        name: survey(split, channels[name.endswith("_b")], max_pixels)
        for name, split in zip(Splits._fields[:4], splits[:4], strict=True)
        if split is not None
    }
    sides = [surveys["train_a"].copies, surveys["train_b"].copies]
    found = None
    if min(map(len, sides)) >= MIN_PROBED:
        describe = None if features == "statistics" else network_patches(features == "network")
        images_a, images_b = (np.stack(list(side.values())) for side in sides)
        found = probe(images_a, images_b, describe)
    equal = duplicates(surveys.values())
    return Checked(surveys, equal, found, list(_warnings(surveys, equal, found, channels)))


def _warnings(surveys, equal, found, channels):
    for name, each in surveys.items():
        if each.unreadable:
            yield (
                f"{each.title}: {len(each.unreadable)} of {each.count} images can't be used. "
                "Training ends before it begins; --on-error skip leaves them out."
            )
        if len(each.kinds) > 1:
            kinds = ", ".join(f"{n} of {d} × {c}" for (d, c), n in each.kinds.most_common())
            yield f"{each.title} mixes kinds of pixels ({kinds}): bring them to one."
        used = each.range_used
        if each.names and "uint8" not in str(each.kinds) and (used is None or used < LEAST_USED):
            domain = name[-1]
            yield (
                f"{each.title} holds values from {each.low:g} to {each.high:g}: give "
                f"--range-{domain} {each.low:g} {each.high:g}, or --range-{domain} auto."
            )
    across = [names for names in equal if len({name.partition(":")[0] for name in names}) > 1]
    if across:
        yield (
            f"{len(across)} images are in more than one folder, {', '.join(across[0][:2])} for "
            "example: scores on test images that were trained on say nothing."
        )
    if len(equal) > len(across):
        yield f"{len(equal) - len(across)} images come more than once in a folder."
    a, b = surveys["train_a"], surveys["train_b"]
    if a.names and b.names:
        shapes = [each.median_size() for each in (a, b)]
        ratios = [width / height for height, width in shapes]
        if max(ratios) > 1.15 * min(ratios):
            yield (
                f"Images of A are {shapes[0][0]}×{shapes[0][1]}, of B {shapes[1][0]}×"
                f"{shapes[1][1]} in the median: stretched to one size, they differ in their "
                "proportions, and that is learned. --resize cover keeps them."
            )
    if found is not None and found.accuracy >= TOLD:
        yield (
            f"A linear probe tells A from B in {found.accuracy:.0%} of images: see in the page "
            "whether by what shall be translated, or by a border, a logo or the background."
        )
    if found is not None and found.accuracy <= ALIKE:
        yield (
            f"A linear probe tells A from B in {found.accuracy:.0%} of images, little more than "
            "chance: are both folders of different kinds?"
        )
