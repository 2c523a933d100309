"""Finds a user's network that judges images: a Keras model, a name in Keras, an ONNX file."""

import pathlib

import keras
import numpy as np

from keras_cyclegan.arguments import to_install
from keras_cyclegan.data.pixels import unit_to_pixels
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.networks.encoders import find_application
from keras_cyclegan.scores.images import as_levels
from keras_cyclegan.scores.measured import batches


class Judge:
    """A network, the shape that it takes, and `prepare` from 0 … 255, float32, to its range."""

    def __init__(self, network, shape, title, prepare):
        self.network, self.shape, self.title, self.prepare = network, shape, title, prepare

    def __call__(self, images):
        images = as_levels(images)  # of 16 bits or floats, the 8 bits that judges know
        height, width, channels = self.shape
        size = (height or images.shape[1], width or images.shape[2])
        if channels == 3 and images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        if channels == 1 and images.shape[-1] == 3:  # ITU-R 601, as Pillow's "L"
            weighted = images @ np.array([[0.299], [0.587], [0.114]])
            images = np.rint(weighted).astype("uint8")
        if images.shape[1:3] != size:
            images = np.stack([resize_image(image, size) for image in images])
        return np.asarray(self.network(self.prepare(images.astype("float32"))), "float32")


def find_judge(given, value_range=(-1.0, 1.0)):
    """Make the judge that a user names, see `evaluate`; None for none."""
    if given is None or isinstance(given, Judge):
        return given
    low, high = value_range
    if not low < high:
        raise ValueError(f"`judge_range` must rise. Received {value_range}.")

    def prepare(images):
        return images * np.float32((high - low) / 255) + np.float32(low)

    name = title = str(given)
    if isinstance(given, keras.Model):
        model, title = given, given.name
    elif name.endswith((".keras", ".onnx")):
        if not pathlib.Path(name).exists():
            raise FileNotFoundError(f"There is no judge {name}.")
        title = f"{pathlib.Path(name).name}, {low:g} to {high:g}"
        if name.endswith(".onnx"):
            return Judge(*_onnx(name), title, prepare)
        model = keras.saving.load_model(name, compile=False)
    else:
        build, prepare = find_application(name, "a .keras file", "an .onnx file")
        model, title = build(weights="imagenet"), f"keras.applications.{name}, imagenet"
    return Judge(model.predict_on_batch, model.input_shape[1:], title, prepare)


def _onnx(path):
    """Return the function of an ONNX file, channels first or last, and the shape it takes."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"A judge in an ONNX file needs {to_install('onnx')}.") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken, *others), output = session.get_inputs(), session.get_outputs()[0].name
    shape = [side if isinstance(side, int) else None for side in taken.shape]
    if others or len(shape) != 4:
        given = ", ".join(f"{each.name} {each.shape}" for each in (taken, *others))
        raise ValueError(f"A judge takes one batch of images. {path} takes {given}.")
    channels_first = shape[1] in (1, 3) and shape[3] not in (1, 3)
    single = shape[0] == 1  # exported for one image at a time

    def run(images):
        images = images.transpose(0, 3, 1, 2) if channels_first else images
        parts = np.split(images, len(images)) if single else [images]
        answer = np.concatenate([session.run([output], {taken.name: part})[0] for part in parts])
        return answer.transpose(0, 2, 3, 1) if channels_first and answer.ndim == 4 else answer

    return run, (*shape[2:], shape[1]) if channels_first else tuple(shape[1:])


def answers(judge, images):
    """Ask a judge: logits or probabilities, `(n, classes)` or `(n, height, width, classes)`.

    A single output is of two classes: the second where it is above 0.5 for probabilities, above 0
    for logits.
    """
    if images.dtype.kind == "f":  # of other formats than 8 bits, by their range
        images = unit_to_pixels(images)
    found = np.concatenate([judge(batch) for batch in batches(images)])
    if found.ndim not in (2, 4) or len(found) != len(images):
        raise ValueError(
            "A judge gives `(n, classes)`, or `(n, height, width, classes)` for maps. "
            f"{judge.title} gave {found.shape} for {len(images)} images."
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{judge.title} gave NaN or infinity. Is the range of its images right?")
    if found.shape[-1] == 1:
        probable = found.min() >= 0 and found.max() <= 1
        found = np.concatenate([1 - found, found] if probable else [-found, found], axis=-1)
    return found
