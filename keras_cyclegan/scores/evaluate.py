"""Every score that a model and a set of images allow, beside that of the untranslated images."""

import dataclasses
from typing import Any

from keras_cyclegan.arguments import Direction, PathLike, check_choice
from keras_cyclegan.data import load_sets
from keras_cyclegan.data.image_sets import ImageSets, image_names
from keras_cyclegan.inference.translate import generators_of
from keras_cyclegan.scores import MEASURES
from keras_cyclegan.scores.extractors import find_extractor
from keras_cyclegan.scores.measured import Measured, RoundTrips, Setting
from keras_cyclegan.scores.round_trips import translate_all


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        sets: `ImageSets`, the images that were translated.
        names: dict of domains, `"a"` and `"b"`, to the names of their images.
        round_trips: dict of directions to `RoundTrips`: the translations and their cycle errors.
        measured: list of `Measured`, the scores.
        notes: list of strings: what could not be measured, and why.

    Example:

    ```python
    evaluation = evaluate(model, "glyphs", extractor="none")
    errors = evaluation.round_trips["a_to_b"].cycle_error
    worst = evaluation.sets.a[np.argmax(errors)]  # uint8, (32, 32, 3)
    ```
    """

    sets: ImageSets
    names: dict[str, list[str]]
    round_trips: dict[Direction, RoundTrips]
    measured: list[Measured]
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
    """Score a translator in every direction it has.

    KID and FID to the real images of the target domain (Bińkowski et al. 2018, Heusel et al. 2017),
    each also for the untranslated images; the cycle error and the content change; and where the
    images are paired, the error against the ground truth and the segmentation scores of Zhu et al.
    2017, section 5.1.1.

    Args:
        model: `CycleGAN`; it may translate one way only.
        source: a folder with `testA` and `testB`, `"tfds:NAME"` or `"glyphs"`.
        extractor: str. Features for KID and FID: `"inception"`, `"efficientnet-lite0"`, a network
            of `keras.applications`, the path of a `.keras` file, or `"none"`. None, the default,
            takes the first two that are available.
        fid: bool. Whether to measure FID. None, the default, measures it where there are more
            images than features.
        paired: bool. Whether image i of B is the ground truth of image i of A. None, the default,
            decides by the files' names; see `data.load_sets`.
        palette: colours of a label map, see `SegmentationScores`. None, the default, for no label
            maps.
        label_domain: `"a"` or `"b"` (the default), the domain of the label maps.
        image_size: int or `(height, width)`. None, the default, takes the model's `image_shape`.
        split: `"test"` (the default) or `"train"`.

    Returns:
        `Evaluation`.

    Raises:
        ValueError: arguments contradict each other or the images, or a generator gives NaN.
        FileNotFoundError: a folder of images is missing.
        DownloadError, ImportError: the extractor that was named isn't available.

    Example:

    ```python
    for score in evaluate(model, "glyphs", extractor="none").measured:
        print(score.name, score.direction, score.translated.value)
    ```
    """
    if fid and extractor == "none":
        raise ValueError("FID needs features to be measured on. Received fid=True, extractor none.")
    channels = model.generator_ab.input_shape[-1], model.generator_ab.output_shape[-1]
    size = model.image_shape[:2] if image_size is None else image_size
    sets = load_sets(source, size, channels, split, paired)
    names = dict(zip("ab", image_names(source, split), strict=True))
    if palette is not None and not sets.paired:
        raise ValueError(
            "Segmentation scores compare with ground truth, and these images aren't paired. Give "
            "pairs equal names in both folders, or say with `paired` that they are in order."
        )
    check_choice("label_domain", label_domain, ("a", "b"))
    conditions = {
        "data": str(source),
        "split": split,
        "image size": "×".join(str(side) for side in sets.a.shape[1:3]),
        "brought to size by": "rendering" if source == "glyphs" else "Pillow bicubic",
        "translations": "rounded to 8 bits",
    }
    network, note = find_extractor(extractor)
    images = {"a": sets.a, "b": sets.b}
    round_trips = {d: translate_all(model, images[d.source], d) for d in generators_of(model)}
    options = {
        "extractor": network,
        "fid": fid,
        "palette": palette,
        "label_domain": label_domain,
    }
    setting = Setting(images, names, sets.paired, round_trips, conditions, options)
    setting.notes += [note] if note else []
    measured = [score for measure in MEASURES for score in measure(setting)]
    return Evaluation(sets, names, round_trips, measured, setting.notes)
