"""Shows the whole package in minutes and offline: translates one typeface into another and back."""

import dataclasses
import os
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

# What lets small networks learn in few steps: letters as large as those of the test, which don't
# move, a high rate, and no identity loss, which would take a quarter of each step.
OPTIONS = TrainingOptions(
    data="glyphs",
    image_size=32,
    load_size=32,
    epochs=10,
    batch_size=4,
    filters=24,
    blocks=2,
    discriminator_filters=32,
    discriminator_layers=2,
    identity_weight=0.0,
    learning_rate=1e-3,
)


def run_quickstart(folder, steps=500):
    """Train on the embedded glyphs, score, translate, save, reload, export and compare.

    Called again, it continues the run in `folder`. Steps, of 4 images each, are rounded down to
    whole epochs. A model that was saved and translates differently is a RuntimeError.
    """
    folder, console, began = Path(folder), Console(), time.perf_counter()
    # Convolutions of 32×32 pixels are too short to share: threads that wait for each other took as
    # much processor time as the work. Whole operations, of the two generators, run side by side.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    options = dataclasses.replace(OPTIONS, steps_per_epoch=max(1, steps // OPTIONS.epochs))
    console.rule(f"Training on glyphs: {options.epochs * options.steps_per_epoch} steps")
    console.print(f"{folder}/samples: a picture after each epoch")
    model = train_run(folder, options)
    _, pairs = load("glyphs")
    images_a, images_b = (np.concatenate(batches) for batches in zip(*pairs, strict=True))

    console.rule("Scores")
    untranslated = f"{float(np.abs(images_a - images_b).mean()) / 2:.4f}"
    there, back = model.generators()
    errors = paired_error(there, images_a, images_b), paired_error(back, images_b, images_a)
    table = Table("", "Sans → Serif Bold Italic", "Serif Bold Italic → Sans")
    table.add_row("untranslated", untranslated, untranslated)
    table.add_row("translated", *(f"{error:.4f}" for error in errors))
    console.print(table)

    console.rule("Files")
    grid = sample_grid(model, images_a[:8], images_b[:8])
    save_png(np.repeat(np.repeat(grid, 2, axis=0), 2, axis=1), folder / "glyphs.png")
    console.print(f"{folder}/glyphs.png: real, translated and back again, both ways")

    images = from_unit(images_a[:8])
    expected = model.translate(images)
    reloaded = keras.saving.load_model(folder / "model.keras").translate(images)
    check_translations(console, f"{folder}/model.keras, reloaded", expected, reloaded)
    preset = CycleGAN.from_preset(str(folder / "preset")).translate(images)
    check_translations(console, f"{folder}/preset, reloaded", expected, preset)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        model.export(folder / "served", overwrite=True)
        served = tf.saved_model.load(str(folder / "served"))  # lives as long as its functions
        translated = served.a_to_b(tf.constant(images)).numpy()
        check_translations(console, f"{folder}/served, a SavedModel", expected, translated)
    else:
        console.print("No SavedModel: `export` needs KERAS_BACKEND=tensorflow; see the README.")
    console.print(f"Done in {(time.perf_counter() - began) / 60:.1f} minutes.")
    return model


def paired_error(generator, sources, targets):
    """Compute the mean absolute difference of translations and targets, from 0 to 1."""
    translated = to_unit(from_unit(generator.predict(sources, batch_size=32, verbose=0)))
    return float(np.abs(translated - targets).mean()) / 2


def check_translations(console, name, expected, received):
    """Print how much a saved model differs from the trained one; raise if by more than rounding."""
    difference = int(np.abs(expected.astype(int) - received.astype(int)).max())
    if difference > 1:
        raise RuntimeError(f"{name} differs from the trained model by {difference} grey levels.")
    console.print(f"{name}: differs by at most {difference} of 255 grey levels")
