"""Pictures of fixed images and their translations, which show the progress of a training."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data.pixels import as_pictures
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.steps.distribution import is_chief

GAP = 2  # white pixels around each image


class SampleGrid(keras.callbacks.Callback):
    """Writes a picture of fixed images with their translations and round trips, as PNG.

    Each row shows one image of A, then one of B: real, translated and reconstructed. A generator
    with masks (`AttentionGenerator`) adds a column: white where it paints. A full disk only warns.

    Args:
        folder: path of the folder for `epoch-0001.png`, ….
        dataset, count: as in `FailureAlarms`; here one image is enough.
        every: epochs from one picture to the next.
        channels: tuple of the three channels, or of the one, to show. None shows the first three.
    """

    def __init__(
        self,
        folder: PathLike,
        dataset: Any,
        count: int = 4,
        every: int = 1,
        channels: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.images_a, self.images_b = first_images(dataset, count)
        self.every = every
        self.channels = channels

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        grid = sample_grid(self.model, self.images_a, self.images_b, self.channels)
        if not is_chief():
            return
        path = self.folder / f"epoch-{epoch + 1:04d}.png"
        try:
            save_png(grid, path)
        except OSError as error:
            warnings.warn(f"{path} could not be written: {error}", stacklevel=2)


def first_images(dataset, count):
    """Take the first `count` images of both domains, `(count, height, width, channels)` each."""
    if dataset is None:
        raise ValueError(
            "There are no images to translate: `data.load` gives None for validation without "
            "testA and testB. Load with `validation_split=0.1`, or give the training dataset."
        )
    sets, seen = ([], []), 0
    for batch in dataset:
        pair = (batch["a"], batch["b"]) if isinstance(batch, dict) else batch
        for images, found in zip(pair, sets, strict=True):
            found.append(np.asarray(images))
        seen += len(pair[0])
        if seen >= count:
            break
    return [np.concatenate(found)[:count] for found in sets]


def sample_grid(model, images_a, images_b, channels=None):
    """Draw a `SampleGrid` of images in [-1, 1] as one uint8 image `(height, width, 3)`."""
    there, back = model.generators()
    columns = [*_columns("A", "B", images_a, there, back)] if there else []
    columns += _columns("B", "A", images_b, back, there) if back else []
    return np.concatenate([_column(*column, channels) for column in columns], axis=1)


def _columns(source, target, real, there, back):
    """Yield the headings and images, in [-1, 1], of one direction."""
    to_numpy = keras.ops.convert_to_numpy
    fake = to_numpy(there(real, training=False))
    yield source, real
    if hasattr(there, "foreground"):
        yield "mask", 2.0 * to_numpy(there.foreground(real)) - 1.0
    yield f"to {target}", fake
    if back is not None:
        yield "back", to_numpy(back(fake, training=False))


def _column(heading, images, channels):
    """Draw framed images below each other, and above them a white strip with a word."""
    from PIL import Image, ImageDraw, ImageFont

    images = as_pictures(images, channels)
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    framed = np.pad(images, ((0, 0), (GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255)
    width = framed.shape[2]
    size = min(16, max(9, width // 4))
    strip = Image.new("RGB", (width, size + 4), "white")
    font = ImageFont.load_default(size)
    ImageDraw.Draw(strip).text((width / 2, size / 2 + 2), heading, "black", font, anchor="mm")
    return np.concatenate([np.asarray(strip), *framed])


def save_png(image, path):
    """Write a uint8 image `(height, width, 3)`, whole or not at all."""
    from PIL import Image

    with atomic_file(path) as unfinished:
        Image.fromarray(image).save(unfinished, format="PNG")
