"""A training run in a folder: its options, logs, pictures, checkpoints, presets and model."""

import contextlib
import functools
import logging
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import Direction, PathLike, check_choice
from keras_cyclegan.data import load_sets
from keras_cyclegan.data.pixels import adopt_formats, formats_of
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.inference.doubt import LEAST
from keras_cyclegan.inference.translate import generators_of
from keras_cyclegan.processor import describe_machine, emulated_dtype
from keras_cyclegan.recipes import TABLES
from keras_cyclegan.scores import KernelInceptionDistance
from keras_cyclegan.scores.distances import describe_extractor
from keras_cyclegan.steps.distribution import distributed, is_chief
from keras_cyclegan.training import folder as run_folder
from keras_cyclegan.training.data import load_images
from keras_cyclegan.training.failure_alarms import FailureAlarms
from keras_cyclegan.training.history import (
    EarlyStop,
    HistoryFile,
    Progress,
    make_loggers,
    mean_kid,
    read_history,
)
from keras_cyclegan.training.networks import build_model
from keras_cyclegan.training.optimisation import compile_model
from keras_cyclegan.training.option import as_flag, sides_of
from keras_cyclegan.training.options import TrainingOptions
from keras_cyclegan.training.preset_keeper import PresetKeeper
from keras_cyclegan.training.sample_grid import SampleGrid, first_images
from keras_cyclegan.training.training_state import fit
from keras_cyclegan.training.translation_metrics import TranslationMetrics

logger = logging.getLogger(__name__)

CALIBRATING = 32  # images of each domain


def train(
    data: PathLike | tuple[PathLike, PathLike] | None,
    folder: PathLike,
    recipe: str | None = None,
    adjust: bool = False,
    **options: Any,
) -> Any:
    """Train on two folders of images, or go on with a run, as `keras-cyclegan train` does.

    The folder gets `config.json` (the options), `history.jsonl` (a line for each epoch), `samples`,
    `checkpoints`, `preset`, `best` (of the best scores, if they are measured) and in the end
    `model.keras`. Called again, it goes on from the newest checkpoint; options not given stay.

    Args:
        data: folder with `trainA` and `trainB`, the two folders `(a, b)`, `"tfds:NAME"` or
            `"glyphs"`. None, for a run that goes on, takes the images that it had.
        folder: path of the run.
        recipe: name of a table in `keras_cyclegan.recipes`. None takes the paper's.
        adjust: whether a run that goes on may have another learning rate, another clipping of
            gradients or other images.
        **options: options of `keras-cyclegan train`, with underscores: its help describes them.

    Returns:
        The trained `CycleGAN`.

    Raises:
        ValueError: an option is wrong, or the folder holds a run with others.
        RuntimeError: another process trains in the folder.
    """
    if recipe is not None:
        check_choice("recipe", recipe, tuple(TABLES))
    if isinstance(data, (tuple, list)):
        options["data"], options["data_b"] = data
    elif data is not None:
        options["data"] = data
    chosen = run_folder.complete_options(folder, options, recipe and TABLES[recipe])
    return train_run(folder, chosen, adjust)


def train_run(folder, options, adjust=False):
    """Start a run with `TrainingOptions`, or continue the run in `folder`: see `train`."""
    folder = Path(folder)
    with contextlib.ExitStack() as stack:
        with distributed(options.distribute, options.batch_size):
            writes = is_chief()
            if writes:
                stack.enter_context(run_folder.locked(folder))
            options, model, train, validation = _prepare(folder, options, adjust)
            watched = train if validation is None else validation
            watchers, keeper = _watch(folder, options, model, watched)
            if writes:  # after all that can fail before the run starts
                run_folder.write_options(folder, options)
                run_folder.write_place(folder, options, train.steps_per_epoch)
            stop = EarlyStop(folder / "history.jsonl", options.early_stop or math.inf)
            more = {"callbacks": [*watchers, stop], "minutes": options.checkpoint_minutes}
            epochs = stop.epochs(options.epochs)
            fit(model, train, folder / "checkpoints", epochs, **more, verbose=0)
            keeper.set_model(model)  # in a finished run, `fit` didn't
            if validation is not None and writes:
                calibrate_doubt(model, validation)
        # After the context of all machines: in it, a new variable waits for the other machines.
        if writes:
            with atomic_file(folder / "model.keras") as unfinished:
                model.save(unfinished)
            keeper.write()
            logger.info("Done: %s/model.keras, and %s/preset to translate with.", folder, folder)
    return model


def _prepare(folder, options, adjust):
    """Return the options, the compiled model, the training dataset, the validation dataset."""
    if changed := run_folder.compare_options(folder, options, adjust):
        logger.info("Changed: %s.", changed)
    keras.utils.set_random_seed(options.seed)
    options = run_folder.keep_epochs(folder, options, adjust)
    train, validation = load_images(options)
    model = build_model(options)
    adopt_formats(model, train)
    if message := emulated_dtype(model.networks.values()):
        raise ValueError(message)
    compile_model(model, options)
    crops = options.resize == "crop"
    size = min(sides_of(options.image_size))
    model.set_scale("detail" if crops else "whole", None if crops else size)
    return options, model, train, validation


def calibrate_doubt(model, validation):
    """Calibrate the doubt of a trained model on images that it wasn't trained on."""
    images = first_images(validation, CALIBRATING)
    formats = formats_of(model, Direction.A_TO_B)
    for direction, found, pixels in zip(Direction, images, formats, strict=True):
        if direction in generators_of(model) and len(found) >= LEAST:
            model.calibrate_doubt(pixels.from_unit(found), direction)


def _watch(folder, options, model, images):
    """Return the callbacks of the run, which show some of the images, and the one of presets."""
    scores, extractor = measure_scores(options, model)
    history = folder / "history.jsonl"
    keeper = PresetKeeper(
        folder / "preset",
        card=functools.partial(describe_run, options, model, history, extractor),
        half_precision=options.half_precision,
        minutes=options.checkpoint_minutes,
        best=folder / "best" if scores else None,
    )
    watchers = [
        Progress(),
        SampleGrid(folder / "samples", images),
        FailureAlarms(images),
        *scores,  # before what reads them
        HistoryFile(history),
        keeper,
        *(make_loggers(folder, options) if is_chief() else ()),
    ]
    return watchers, keeper


def measure_scores(options, model):
    """Make the callback for `options.scores`, in a list, and the description of its features."""
    if options.scores is None:
        return [], None
    from keras_cyclegan.scores.extractors import find_extractor

    extractor, note = find_extractor(None)
    if extractor is None:
        raise ValueError(f"KID can't be measured on `scores`: {note}")
    if note:
        logger.info(note)
    of_a, of_b = formats_of(model, Direction.A_TO_B)
    size = sides_of(options.image_size)
    sets = load_sets(options.scores, size, model.channels, pixels_a=of_a, pixels_b=of_b)
    count = min(len(sets.a), len(sets.b))

    def extract(images):  # `evaluate` too shows gray images to the extractor as gray RGB
        return extractor(np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images)

    kid = KernelInceptionDistance(extract, name="kid")
    batch = of_a.to_unit(sets.a[:count]), of_b.to_unit(sets.b[:count])
    callback = TranslationMetrics([batch], [kid], count, options.scores_every)
    return [callback], describe_extractor(extractor)["extractor"]


def describe_run(options, model, history, extractor=None):
    """Return the model card of a run's preset as a dict; `extractor` describes KID's features."""
    options, rows = run_folder.as_json(options), read_history(history)
    flags = " ".join(
        as_flag(name, value)
        for name, value in options.items()
        if value != getattr(TrainingOptions, name, None) and name not in run_folder.CHANGEABLE
    )
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    hours = sum(row.get("seconds", 0) for row in rows) / 3600
    card = {
        "description": f"A CycleGAN, trained on {options['data']} by `keras-cyclegan train`.",
        "training_data": f"{options['data']}. Its licence was not stated.",
        "recipe": f"The paper's{f', but for `{flags}`' if flags else ''}.",
        "training": f"{steps:,} steps of batch size {options['batch_size']}, {hours:.1f} hours on "
        f"{describe_machine()}, {keras.backend.backend()}.",
    }
    if measured := [row for row in rows if math.isfinite(mean_kid(row))]:
        last, ways = measured[-1], {"kid_ab": "from A to B", "kid_ba": "from B to A"}
        scores = ", ".join(f"{100 * last[x]:.2f} {way}" for x, way in ways.items() if x in last)
        card["scores"] = (
            f"KID×100 after epoch {last['epoch']}: {scores}, on {options['scores']} at "
            f"{options['image_size']} pixels, features of {extractor}."
        )
    return card
