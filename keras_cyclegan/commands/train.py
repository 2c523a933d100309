"""A training run in a folder: its options, logs, pictures, checkpoints, presets and model."""

import contextlib
import zlib
from pathlib import Path

import keras
import numpy as np
import typer

from keras_cyclegan import callbacks, data, resume
from keras_cyclegan.arguments import Direction
from keras_cyclegan.callbacks.history import read_history
from keras_cyclegan.callbacks.preset_keeper import PresetKeeper
from keras_cyclegan.commands.build import build_model, compile_model
from keras_cyclegan.commands.option_parser import sides_of
from keras_cyclegan.commands.run_card import RunCard
from keras_cyclegan.commands.run_folder import CHANGEABLE, compare_options, locked, write_options
from keras_cyclegan.data.pixels import adopt_formats, formats_of
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.processor import refuse_slow_dtype
from keras_cyclegan.scores import KernelInceptionDistance
from keras_cyclegan.scores.features import describe_extractor
from keras_cyclegan.steps.distribution import (
    check_agreement,
    distributed,
    fail_together,
    is_chief,
    process_share,
)


def train_run(folder, options, adjust=False, slow_dtype=False):
    """Start a training run with `options`, or continue the run in `folder`.

    The folder gets `config.json` (the options), `history.jsonl` (a line for each epoch),
    `samples/epoch-0001.png` …, `checkpoints/`, `preset` (of the model as it is now, for translating
    and for further training), `best` (the preset with the best scores, where they are measured),
    and after the last epoch `model.keras` (for further training in Python).

    Args:
        folder: path; made where it doesn't exist.
        options: `TrainingOptions`.
        adjust: bool, False by default. Whether a continued run may have another learning rate or
            another clipping of gradients, for example after it diverged.
        slow_dtype: bool. Whether to train in a dtype that this processor emulates.

    Returns:
        The trained `CycleGAN`.

    Raises:
        ValueError: the folder holds a run with other options, or `init` contradicts them; or
            the dtype takes more than 10 times as long as float32 here.
        RuntimeError: another process trains in the folder.
        DivergenceError, OSError, KeyboardInterrupt, SystemExit: see `resume.fit`.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as stack:
        with distributed(options.distribute, options.batch_size):
            writes = is_chief()
            fail_together(lambda: writes and stack.enter_context(locked(folder)))
            model, train, validation = _prepare(folder, options, adjust, slow_dtype)
            watched = train if validation is None else validation
            watchers, keeper = _watch(folder, options, model, watched)
            resume.fit(
                model,
                train,
                folder / "checkpoints",
                options.epochs,
                callbacks=watchers,
                minutes=options.checkpoint_minutes,
                steps=options.checkpoint_steps,
                keep=options.keep_checkpoints,
                verbose=0,
            )
            keeper.set_model(model)  # in a finished run, `fit` didn't
        # After the context of all machines: in it, a new variable waits for the other machines.
        if writes:
            with atomic_file(folder / "model.keras") as unfinished:
                model.save(unfinished)
            keeper.write()
            typer.echo(
                f"Done: {folder}/model.keras, and {folder}/preset to translate and export with."
            )
    return model


def _prepare(folder, options, adjust, slow_dtype):
    """Return the compiled model, the training dataset, and the validation dataset or None."""
    for line in fail_together(lambda: compare_options(folder, options, adjust)):
        typer.echo(line)
    keras.utils.set_random_seed(options.seed)
    train, validation = fail_together(lambda: _load(options))
    relevant = {k: v for k, v in vars(options).items() if k not in CHANGEABLE}
    check_agreement(
        "Give all machines the same options and the same images.",
        options=zlib.crc32(repr(relevant).encode()) >> 1,  # JAX has 31 bits
        steps_per_epoch=train.steps_per_epoch,
    )
    model = build_model(options)
    adopt_formats(model, train)
    if not slow_dtype:
        made = [getattr(model, name) for name in NETWORKS]
        refuse_slow_dtype(made, "`slow_dtype=True` trains nevertheless.")
    compile_model(model, options)
    crops = options.resize == "crop"
    size = min(sides_of(options.image_size))
    model.set_scale("detail" if crops else "whole", None if crops else size)
    return model, train, validation


def _watch(folder, options, model, watched):
    """Return the callbacks of the run, which show images of `watched`, and the one of presets."""
    scores, extractor = measure_scores(options, model)
    if is_chief():
        write_options(folder, options)  # after all that can fail before the run starts
    history = folder / "history.jsonl"
    keeper = PresetKeeper(
        folder / "preset",
        card=RunCard(options, model, history, extractor),
        half_precision=options.half_precision,
        minutes=options.checkpoint_minutes,
        best=folder / "best" if scores else None,
        lowest=lowest_score(history) if (folder / "best").exists() else None,
    )
    watchers = [
        callbacks.Progress(),
        callbacks.SampleGrid(folder / "samples", watched),
        callbacks.FailureAlarms(watched),
        *scores,  # before what reads them
        callbacks.HistoryFile(history),
        keeper,
    ]
    return watchers, keeper


def _load(options):
    source = options.data if options.data_b is None else (options.data, options.data_b)
    given = {} if options.max_pixels is None else {"max_pixels": options.max_pixels}
    return data.load(
        source,
        image_size=sides_of(options.image_size),
        load_size=sides_of(options.load_size),
        resize=options.resize,
        channels=(options.channels_a, options.channels_b),
        flip=options.flip,
        batch_size=options.batch_size,
        seed=options.seed,
        steps_per_epoch=options.steps_per_epoch,
        on_error=options.on_error,
        process_share=process_share(),
        validation_split=options.validation_split,
        group_by=options.group_by,
        range_a=options.range_a,
        range_b=options.range_b,
        unit_a=options.unit_a or "",
        unit_b=options.unit_b or "",
        **given,
    )


def measure_scores(options, model):
    """Make the callback for `options.scores`, in a list, and the description of its features."""
    if options.scores is None:
        return [], None
    from keras_cyclegan.scores.extractors import find_extractor

    extractor, note = find_extractor(None)
    if extractor is None:
        raise ValueError(f"KID can't be measured on `scores`: {note}")
    if note:
        typer.echo(note)
    formats = formats_of(model, Direction.A_TO_B)
    images_a, images_b, _ = data.load_sets(
        options.scores,
        sides_of(options.image_size),
        tuple(pixels.channels for pixels in formats),
        pixels_a=formats[0],
        pixels_b=formats[1],
    )
    count = min(len(images_a), len(images_b))

    def extract(images):  # `evaluate` too shows gray images to the extractor as gray RGB
        return extractor(np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images)

    kid = KernelInceptionDistance(extract, name="kid")
    batch = formats[0].to_unit(images_a[:count]), formats[1].to_unit(images_b[:count])
    callback = callbacks.TranslationMetrics([batch], [kid], count, options.scores_every)
    return [callback], describe_extractor(extractor, None)["extractor"]


def lowest_score(history):
    """Return the lowest mean KID of both directions in `history.jsonl`, or None."""
    rows = [row for row in read_history(history) if "kid_ab" in row]
    return min(((row["kid_ab"] + row["kid_ba"]) / 2 for row in rows), default=None)
