"""Every score that a model and a set of images allow, beside that of doing nothing."""

import dataclasses
from typing import Any

from keras_cyclegan.arguments import Direction, PathLike
from keras_cyclegan.data import load_sets
from keras_cyclegan.data.image_sets import ImageSets
from keras_cyclegan.evaluation import scores
from keras_cyclegan.evaluation.extractors import find_extractor
from keras_cyclegan.evaluation.round_trips import Pass, translate_all
from keras_cyclegan.losses.similarity import WINDOW as SSIM_WINDOW


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        sets: `ImageSets` that were translated.
        passes: dict of directions to `Pass`: the translations and what each of them lost.
        measured: list of `Measured`.
        notes: list of strings: what could not be measured, and why.
    """

    sets: ImageSets
    passes: dict[Direction, Pass]
    measured: list[scores.Measured]
    notes: list[str]


def evaluate(
    model: Any,
    source: PathLike,
    extractor: Any = None,
    fid: bool | None = None,
    paired: bool | None = None,
    palette: Any = None,
    label_domain: str = "b",
    image_size: int | None = None,
    split: str = "test",
) -> Evaluation:
    """Scores a translator in every direction it has.

    Args:
        model: `CycleGAN`; one-way models too.
        source: a folder with `testA` and `testB`, `"tfds:NAME"` or `"glyphs"`.
        extractor: name of the features of KID and FID, see `find_extractor`.
        fid: bool. Whether to measure FID. Left out, where there are more images than features.
        paired: bool. Whether image i of B is the ground truth of image i of A. Left out, where the
            files' names say so, see `data.load_sets`.
        palette: colours of a label map, see `SegmentationScores`.
        label_domain: `"a"` or `"b"`, the domain of label maps where there is a palette.
        image_size: int or `(height, width)`. Defaults to the size of the model's training.
        split: `"test"` or `"train"`.

    Returns:
        `Evaluation`.
    """
    if fid and extractor == "none":
        raise ValueError("FID needs features to be measured on. Received fid=True, extractor none.")
    channels = model.generator_ab.input_shape[-1], model.generator_ab.output_shape[-1]
    size = model.image_shape[:2] if image_size is None else image_size
    sets = load_sets(source, size, channels, split, paired)
    if palette is not None and not sets.paired:
        raise ValueError(
            "Segmentation scores compare with ground truth, and these images aren't paired: files "
            "of one name in both folders are, or say that they are with `paired`."
        )
    if label_domain not in ("a", "b"):
        raise ValueError(f'`label_domain` is "a" or "b". Received {label_domain!r}.')
    conditions = {
        "data": str(source),
        "split": split,
        "image size": "×".join(str(side) for side in sets.a.shape[1:3]),
        "brought to size by": "rendering" if source == "glyphs" else "Pillow bicubic",
        "translations": "rounded to 8 bits",
    }
    network, note = find_extractor(extractor)
    images = {"a": sets.a, "b": sets.b}
    ways = [way for way in Direction if way == "a_to_b" or model.generator_ba is not None]
    passes = {way: translate_all(model, images[way.source], way) for way in ways}
    measured, notes = [], [note] if note else []
    for way in ways if sets.paired else ():
        source, target = images[way.source], images[way.target]
        compared = way, source, passes[way].translated, target
        measured += scores.paired_scores(*compared, conditions)
        if palette is not None and way.target == label_domain:
            measured += scores.label_scores(*compared, palette, conditions)
    if sets.paired and min(sets.a.shape[1:3]) < SSIM_WINDOW:
        notes.append("SSIM is left out: it needs images of 11×11 or more.")
    few = min(len(sets.a), len(sets.b))
    if network is not None and few < 2:
        notes.append("KID is left out: it needs at least two images of each domain.")
    elif network is not None:
        measured += scores.set_distances(network, images, passes, fid, conditions)
        notes += scores.cautions(few, measured)
    for way in ways:
        measured += scores.cycle_scores(way, passes[way], conditions)
    return Evaluation(sets, passes, measured, notes)
