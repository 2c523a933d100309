"""Every score that a model and a set of images allow, beside that of the untranslated images."""

from typing import Any

import numpy as np

from keras_cyclegan.arguments import Direction, PathLike, check_choice
from keras_cyclegan.data import load_sets
from keras_cyclegan.data.load import image_names
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.pixels import formats_of
from keras_cyclegan.inference.pictures import BATCH_PIXELS
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.translate import generator_for, generators_of
from keras_cyclegan.scores import MEASURES
from keras_cyclegan.scores.extractors import find_extractor
from keras_cyclegan.scores.judge import find_judge
from keras_cyclegan.scores.score import Evaluation, RoundTrips


def evaluate(
    model: Any,
    source: PathLike,
    extractor: Any = None,
    fid: bool | None = None,
    paired: bool | None = None,
    palette: Any = None,
    label_domain: str = "b",
    image_size: int | tuple[int, int] | None = None,
    split: str = "test",
    judge: Any = None,
    judge_range: tuple[float, float] = (-1.0, 1.0),
    labels: Any = None,
    score_channels: tuple[int, ...] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Evaluation:
    """Score a translator in every direction it has, beside the untranslated images.

    KID and FID to the real images of the target domain; the cycle error and the content change; and
    where the images are paired, the error against the ground truth and the segmentation scores of
    Zhu et al. 2017, section 5.1.1.

    Args:
        model: `CycleGAN`; it may translate one way only.
        source: a folder with `testA` and `testB`, `"tfds:NAME"` or `"glyphs"`.
        extractor: features for KID and FID: `"inception"`, `"efficientnet-lite0"`, the path of a
            `.keras` file, a `keras.Model` of images in [-1, 1], a callable of uint8 images, or
            `"none"`. None takes the first of these that is available.
        fid: whether to measure FID. None measures it where there are more images than features.
        paired, max_pixels: see `data.load_sets`.
        palette: colours of label maps, see `SegmentationScores`.
        label_domain: the domain of the label maps, `"a"` or `"b"`.
        image_size: int or `(height, width)`. None takes the model's `image_shape`.
        split: `"test"` or `"train"`.
        judge: a classifier or segmenter, asked before and after: a `keras.Model`, a `.keras` or
            `.onnx` file, or a name in `keras.applications`, giving `(n[, h, w], classes)`.
        judge_range: what black and white are to the judge.
        labels: what it should say: a folder with a file of each image's name, in sub-folders that
            are classes (in order, or by number), or 8-bit maps of classes (255 doesn't count),
            perhaps below `A` and `B`. None takes what it says of the original.
        score_channels: one or three ints: the channels of other images than gray and RGB that KID
            and FID see. None leaves these scores of such images out.
    """
    check_choice("label_domain", label_domain, ("a", "b"))
    if labels is not None and judge is None:
        raise ValueError("Labels are for a judge. Received labels without `judge`.")
    judge = None if judge is None else find_judge(judge, judge_range)
    size = model.image_shape[:2] if image_size is None else image_size
    formats = dict(zip("ab", formats_of(model, Direction.A_TO_B), strict=True))
    channels = model.channels
    sets = load_sets(source, size, channels, split, paired, formats["a"], formats["b"], max_pixels)
    names = dict(zip("ab", image_names(source, split), strict=True))
    if palette is not None and not sets.paired:
        raise ValueError(
            "Segmentation scores compare with ground truth, and these images aren't paired: give "
            "pairs equal names in both folders, or say with `paired` that they are in order."
        )
    network, note = find_extractor(extractor)
    round_trips = {
        d: translate_all(model, getattr(sets, d.source), d, formats) for d in generators_of(model)
    }
    deep = [str(one) for one in formats.values() if one.dtype != "uint8"]
    conditions = {
        "data": str(source),
        "split": split,
        "image size": "×".join(str(side) for side in sets.a.shape[1:3]),
        "brought to size by": "rendering" if source == "glyphs" else "Pillow bicubic",
        "translations": f"rounded to {' and '.join(deep) or '8 bits'}",
    }
    options = {"extractor": network, "fid": fid, "score_channels": score_channels}
    options |= {"palette": palette, "label_domain": label_domain, "judge": judge, "labels": labels}
    notes = [note] if note else []
    evaluation = Evaluation(sets, names, formats, round_trips, conditions, options, notes)
    for measure in MEASURES:
        evaluation.measured.extend(measure(evaluation))
    return evaluation


def translate_all(model, images, direction, formats):
    """Translate images of the domains' formats there and, if the model can, back: `RoundTrips`."""
    there = generator_for(model, direction)
    back = generators_of(model).get(direction.opposite)
    same_channels = there.input_shape[-1] == there.output_shape[-1]
    translated, errors, changes = [], [], []
    count = max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), count):
        real = formats[direction.source].to_unit(images[start : start + count])
        fake = runner(there)(real)
        if not np.isfinite(fake).all():
            raise ValueError(f"The generator {direction} gives NaN: take an earlier checkpoint.")
        translated.append(formats[direction.target].from_unit(fake))
        if back is not None:
            errors.append(_distances(real, runner(back)(fake)))
        if same_channels:
            changes.append(_distances(real, fake))
    parts = translated, errors, changes
    return RoundTrips(*(np.concatenate(part) if part else None for part in parts))


def _distances(images, others):
    return np.abs(images - others).mean(axis=(1, 2, 3))
