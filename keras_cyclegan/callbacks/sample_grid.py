"""Fixed images, translated again and again, so that progress can be seen."""

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import PathLike
from keras_cyclegan.data import from_unit
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.trainers.distribution import is_chief


class SampleGrid(keras.callbacks.Callback):
    """Writes a picture of fixed images with their translations and round trips, as PNG.

    A row for each pair of images, six columns: real, translated and reconstructed, first of domain
    A, then of domain B. If the disk is full, that is a warning.

    Args:
        folder: where `epoch-0001.png`, … are written.
        dataset: batches `(a, b)` of which the first images are taken: validation data, best.
        count: int. Images of each domain.
        every: int. Epochs between two pictures.
        tensorboard: folder, or `None`. Where to write the pictures for TensorBoard too: the
            `log_dir` of `keras.callbacks.TensorBoard`, or one below it.
    """

    def __init__(
        self,
        folder: PathLike,
        dataset: Any,
        count: int = 4,
        every: int = 1,
        tensorboard: PathLike | None = None,
    ) -> None:
        super().__init__()
        if tensorboard is not None and importlib.util.find_spec("tensorboard") is None:
            raise ImportError("Pictures for TensorBoard need `pip install tensorboard`.")
        self.folder = Path(folder)
        self.images_a, self.images_b = first_images(dataset, count)
        self.every = every
        self.tensorboard = tensorboard
        self.writer = None

    def on_train_begin(self, logs=None):
        if not is_chief():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.tensorboard is not None:
            import tensorflow as tf

            self.writer = tf.summary.create_file_writer(str(self.tensorboard))

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        grid = sample_grid(self.model, self.images_a, self.images_b)
        if not is_chief():
            return
        path = self.folder / f"epoch-{epoch + 1:04d}.png"
        try:
            save_png(grid, path)
        except OSError as error:
            warnings.warn(f"{path} could not be written: {error}", stacklevel=2)
        if self.writer is not None:
            import tensorflow as tf

            with self.writer.as_default():
                tf.summary.image("samples", grid[None], step=epoch)  # Keras counts from 0 there
            self.writer.flush()

    def on_train_end(self, logs=None):
        if self.writer is not None:
            self.writer.close()


def first_images(dataset, count):
    """The first `count` images of both domains, `(count, height, width, channels)` each."""
    if dataset is None:
        raise ValueError(
            "There are no images to watch: `data.load` gives None for validation where there is no "
            "testA and testB. Load with `validation_split=0.1`, or give the training dataset."
        )
    batches_a, batches_b, seen = [], [], 0
    for a, b in dataset:
        batches_a.append(np.asarray(a))
        batches_b.append(np.asarray(b))
        seen += len(a)
        if seen >= count:
            break
    return np.concatenate(batches_a)[:count], np.concatenate(batches_b)[:count]


def sample_grid(model, images_a, images_b):
    """One uint8 image: columns real, translated, reconstructed, first for A→B, then for B→A.

    Args:
        model: `CycleGAN`.
        images_a, images_b: `(n, height, width, channels)`, in [-1, 1].
    """
    generator_ab, generator_ba = model.generators()
    to_numpy = keras.ops.convert_to_numpy
    fake_b = to_numpy(generator_ab(images_a, training=False))
    fake_a = to_numpy(generator_ba(images_b, training=False))
    cycle_a = to_numpy(generator_ba(fake_b, training=False))
    cycle_b = to_numpy(generator_ab(fake_a, training=False))
    columns = (images_a, fake_b, cycle_a, images_b, fake_a, cycle_b)
    return np.concatenate([_column(images, gap=2) for images in columns], axis=1)


def _column(images, gap):
    images = from_unit(images)
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    framed = np.pad(images, ((0, 0), (gap, gap), (gap, gap), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=0)


def save_png(image, path):
    """Write a uint8 image `(height, width, 3)`, whole or not at all."""
    from PIL import Image

    with atomic_file(path) as unfinished:
        Image.fromarray(image).save(unfinished, format="PNG")
