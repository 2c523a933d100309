"""What a user's own network says of images before and after translation."""

import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_cyclegan.arguments import needs
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.files.untrusted import printable
from keras_cyclegan.networks.encoders import find_application
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.labels import count_right, shares_of
from keras_cyclegan.scores.score import Measured, Score, batches

IGNORED = 255  # of label maps, as in Cityscapes: counts nowhere


class Judge:
    """A network, the shape that it takes, and `prepare` from 0 … 255, float32, to its range."""

    def __init__(self, network, shape, title, prepare):
        self.network, self.shape, self.title, self.prepare = network, shape, title, prepare

    def __call__(self, images):
        images = as_levels(images)  # of 16 bits or floats, the 8 bits that judges know
        height, width, channels = self.shape
        size = height or images.shape[1], width or images.shape[2]
        if channels == 3 and images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        if channels == 1 and images.shape[-1] == 3:  # ITU-R 601, as Pillow's "L"
            images = np.rint(images @ np.array([[0.299], [0.587], [0.114]])).astype("uint8")
        if images.shape[1:3] != size:
            images = np.stack([resize_image(image, size) for image in images])
        return np.asarray(self.network(self.prepare(images.astype("float32"))), "float32")


def find_judge(given, value_range=(-1.0, 1.0)):
    """Make the judge that a user names, see `evaluate`."""
    low, high = value_range

    def prepare(images):
        return images * np.float32((high - low) / 255) + np.float32(low)

    if isinstance(given, keras.Model):
        model, title = given, given.name
    elif (path := pathlib.Path(given)).suffix in (".onnx", ".keras"):
        if not path.exists():
            raise FileNotFoundError(f"There is no judge {path}.")
        title = f"{path.name}, {low:g} to {high:g}"
        if path.suffix == ".onnx":
            return Judge(*_onnx(path), title, prepare)
        model = keras.saving.load_model(path, compile=False)
    else:
        build, prepare = find_application(given, "a .keras file", "an .onnx file")
        model, title = build(weights="imagenet"), f"keras.applications.{given}, imagenet"
    return Judge(model.predict_on_batch, model.input_shape[1:], title, prepare)


def _onnx(path):
    """Return the function of an ONNX file, channels first or last, and the shape it takes."""
    onnxruntime = needs("onnxruntime", path, "onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    count, *shape = (side if isinstance(side, int) else None for side in taken.shape)
    channels_first = shape[0] in (1, 3) and shape[-1] not in (1, 3)

    def run(images):
        images = images.transpose(0, 3, 1, 2) if channels_first else images
        parts = np.split(images, len(images)) if count == 1 else [images]  # one image at a time
        answer = np.concatenate([session.run(None, {taken.name: part})[0] for part in parts])
        return answer.transpose(0, 2, 3, 1) if channels_first and answer.ndim == 4 else answer

    return run, (*shape[1:], shape[0]) if channels_first else tuple(shape)


def answers(judge, images):
    """Ask a judge: logits or probabilities, `(n, classes)` or `(n, height, width, classes)`.

    A single output is of two classes: the second above 0.5 for probabilities, above 0 for logits.
    """
    found = np.concatenate([judge(batch) for batch in batches(images)])
    if found.ndim not in (2, 4) or len(found) != len(images) or not np.isfinite(found).all():
        raise ValueError(
            "A judge gives `(n, classes)`, or `(n, height, width, classes)` for maps, all finite. "
            f"{judge.title} gave {found.shape}, up to {found.max()}, for {len(images)} images."
        )
    if found.shape[-1] == 1:
        probable = found.min() >= 0 and found.max() <= 1
        found = np.concatenate([1 - found, found] if probable else [-found, found], axis=-1)
    return found


@dataclasses.dataclass(frozen=True)
class Judged:
    """A judge's answers of one direction, by class and by image, worst first."""

    # "name", "count" of images or pixels, shares that are right, "translated" and "untranslated"
    classes: list[dict[str, Any]]
    # "index", "name", "label", "answer" (None for label maps) and "right", the share
    images: list[dict[str, Any]]


def measure(evaluation):
    """Measure how often the judge is right of translations: by labels or its answers before."""
    judge, labels = evaluation.options["judge"], evaluation.options["labels"]
    for direction, translated in evaluation.translated.items() if judge else ():
        domain = direction.source
        before = answers(judge, evaluation.images[domain])
        after = answers(judge, translated)
        if labels is None:
            title, described = "Judge's agreement with itself", "its answers on the originals"
            truth, names = before.argmax(axis=-1), [str(i) for i in range(before.shape[-1])]
            compared = [after]
        else:
            title, described = "Judge's accuracy", str(labels)
            truth, names = labels_of(labels, domain, evaluation.names[domain], before.shape)
            compared = [after, before]
        if truth is None:
            evaluation.notes.append(
                f"{direction.arrow} isn't judged: no image of {domain.upper()} has a label."
            )
            continue
        kept = truth >= 0
        counts = [
            count_right(truth[kept], said.argmax(axis=-1)[kept], before.shape[-1])
            for said in compared
        ]
        kinds = {title: "pixel_accuracy"}
        if truth.ndim > 1:
            kinds[f"{title}, mean IoU"] = "mean_iou"
        for name, kind in kinds.items():
            protocol = evaluation.protocol(name, len(truth), judge=judge.title, labels=described)
            scores = [Score(shares_of(count)[kind], protocol) for count in counts]
            yield Measured(name, direction, "higher", *scores)
        images = _by_image(evaluation.names[domain], truth, after, names)
        evaluation.judged[direction] = Judged(_by_class(names, *counts), images)


def _by_class(names, counts, baseline=None):
    right, count, _ = counts
    rows = [
        {
            "name": names[i],
            "count": int(count[i]),
            "translated": float(right[i] / count[i]),
            "untranslated": None if baseline is None else float(baseline[0][i] / count[i]),
        }
        for i in np.flatnonzero(count)
    ]
    return sorted(rows, key=lambda row: row["translated"])


def _by_image(image_names, truth, said, names):
    """Rank images: by the share of pixels that are right, or by how far the right class lies."""
    answer, maps = said.argmax(axis=-1), truth.ndim > 1
    if maps:
        kept = truth >= 0
        right = ((answer == truth) & kept).sum((1, 2)) / np.maximum(kept.sum((1, 2)), 1)
        margin = right
    else:
        right = (answer == truth).astype(float)
        margin = said[np.arange(len(truth)), truth] - said.max(axis=-1)
    return [
        {
            "index": int(i),
            "name": image_names[i],
            "label": None if maps else names[truth[i]],
            "answer": None if maps else names[answer[i]],
            "right": float(right[i]),
        }
        for i in np.argsort(margin, kind="stable")
    ]


def labels_of(labels, domain, names, answered):
    """Find the label of each image of a domain, in what `evaluate` was given.

    Returns:
        Integers of the shape of the judge's answers less the classes, -1 where they don't count,
        and the names of the classes; Nones where no image of the domain has a label.
    """
    classes = [str(i) for i in range(answered[-1])]
    root = pathlib.Path(labels, domain.upper())
    root = root if root.is_dir() else root.parent
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of labels {root}.")
    files = {path.stem: path for path in sorted(root.rglob("*")) if path.is_file()}
    missing = [name for name in names if pathlib.PurePath(name).stem not in files]
    if len(missing) == len(names):
        return None, None
    if missing:
        raise ValueError(
            f"{root} lacks labels of {len(missing)} of {len(names)} images of {domain.upper()}: "
            f"{', '.join(map(printable, missing[:10]))}."
        )
    found = [files[pathlib.PurePath(name).stem] for name in names]
    if len(answered) == 4:
        found = np.stack([_read_map(path, answered[1:3]) for path in found])
        return _checked(found, answered), classes
    folders = sorted({path.parent.name for path in files.values()})
    if all(name.isdecimal() for name in folders):  # numbers of the judge's classes
        return _checked(np.array([int(path.parent.name) for path in found]), answered), classes
    if len(folders) != answered[-1]:
        raise ValueError(
            f"The judge knows {answered[-1]} classes, and {root} has {len(folders)} sub-folders: "
            f"{', '.join(map(printable, folders[:10]))}. If it has others too, name them by number."
        )
    return np.array([folders.index(path.parent.name) for path in found]), folders


def _checked(values, answered):
    """Return labels as int64, -1 where a pixel of a map doesn't count."""
    values = values.astype("int64")
    if values.ndim == 3:
        values[values == IGNORED] = -1
    if values.shape != answered[:-1] or values.max() >= answered[-1]:
        raise ValueError(
            f"Labels are classes of 0 … {answered[-1] - 1}, {answered[:-1]}. Received "
            f"{values.shape} up to {values.max()}."
        )
    return values


def _read_map(path, size):
    """Read an 8-bit map of classes, brought to the size of the judge's answers."""
    with Image.open(path) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(f"Label maps have 8 bits; {printable(str(path))} is {image.mode}.")
        return np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST))
