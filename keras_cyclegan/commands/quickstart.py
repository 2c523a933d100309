"""Shows the whole package in minutes and offline: translates one typeface into another and back."""

import dataclasses
import time
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.data import from_unit, load, to_unit
from keras_cyclegan.training import TrainingOptions
from keras_cyclegan.training.run import train_run
from keras_cyclegan.training.sample_grid import sample_grid, save_png

OPTIONS = TrainingOptions(
    data="glyphs",
    image_size=32,
    epochs=10,
    batch_size=4,
    filters=24,
    blocks=4,
    discriminator_filters=32,
    discriminator_layers=2,
)


def run_quickstart(folder, steps=1500):
    """Train on the embedded glyphs, score, translate, save, reload, export and compare.

    Args:
        folder: path for the run, its pictures and its models. Called again, it continues.
        steps: int, 1500 by default. Training steps, of 4 images each; rounded down to whole epochs.

    Returns:
        The trained `CycleGAN`.

    Raises:
        RuntimeError: a model that was saved and loaded translates differently.
    """
    folder, console, began = Path(folder), Console(), time.perf_counter()
    options = dataclasses.replace(OPTIONS, steps_per_epoch=max(1, steps // OPTIONS.epochs))
    console.rule(f"Training on glyphs: {options.epochs * options.steps_per_epoch} steps")
    model = train_run(folder, options)
    _, pairs = load("glyphs")
    images_a, images_b = (np.concatenate(batches) for batches in zip(*pairs, strict=True))

    console.rule("Scores")
    console.print(error_table(model, images_a, images_b))

    console.rule("Files")
    grid = sample_grid(model, images_a[:8], images_b[:8])
    save_png(np.repeat(np.repeat(grid, 2, axis=0), 2, axis=1), folder / "glyphs.png")
    console.print(f"{folder}/glyphs.png: real, translated and back again, both ways")

    images = from_unit(images_a[:8])
    expected = model.translate(images)
    reloaded = keras.saving.load_model(folder / "model.keras")
    check_translations(
        console, f"{folder}/model.keras, reloaded", expected, reloaded.translate(images)
    )
    preset = CycleGAN.from_preset(str(folder / "preset"))
    check_translations(console, f"{folder}/preset, reloaded", expected, preset.translate(images))
    if keras.backend.backend() == "tensorflow":
        model.export(folder / "served")
        served = _serve(folder / "served", images)
        check_translations(console, f"{folder}/served, a SavedModel", expected, served)
    else:
        console.print("No SavedModel: `export` needs KERAS_BACKEND=tensorflow; see the README.")
    console.print(f"Done in {(time.perf_counter() - began) / 60:.1f} minutes.")
    return model


def error_table(model, images_a, images_b):
    """Make a table of mean absolute errors to the other typeface, where black to white is 1."""
    baseline = float(np.abs(images_a - images_b).mean()) / 2
    generator_ab, generator_ba = model.generators()
    forward = paired_error(generator_ab, images_a, images_b)
    backward = paired_error(generator_ba, images_b, images_a)
    table = Table("", "Sans → Serif Bold Italic", "Serif Bold Italic → Sans")
    table.add_row("untranslated", f"{baseline:.4f}", f"{baseline:.4f}")
    table.add_row("translated", f"{forward:.4f}", f"{backward:.4f}")
    return table


def paired_error(generator, sources, targets):
    """Compute the mean absolute difference of translations and targets, from 0 to 1."""
    translated = to_unit(from_unit(generator.predict(sources, batch_size=32, verbose=0)))
    return float(np.abs(translated - targets).mean()) / 2


def _serve(folder, images):
    """Translate with the SavedModel as a server would: with TensorFlow only."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder))
    return served.a_to_b(tf.constant(images)).numpy()


def check_translations(console, name, expected, received):
    """Print how much a saved model differs from the trained one; raise if by more than rounding."""
    difference = int(np.abs(expected.astype(int) - received.astype(int)).max())
    if difference > 1:
        raise RuntimeError(f"{name} differs from the trained model by {difference} grey levels.")
    console.print(f"{name}: differs by at most {difference} of 255 grey levels")
