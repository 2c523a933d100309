"""A training run in a folder: its options, logs, pictures, checkpoints, presets and model."""

import contextlib
import inspect
import zlib
from pathlib import Path

import keras

from keras_cyclegan import callbacks, data, networks, resume
from keras_cyclegan.callbacks.history import read_history
from keras_cyclegan.callbacks.preset_keeper import PresetKeeper
from keras_cyclegan.commands.choices import (
    DISCRIMINATOR_ARGUMENTS,
    DISCRIMINATORS,
    GENERATOR_ARGUMENTS,
    GENERATORS,
)
from keras_cyclegan.commands.options import TrainingOptions
from keras_cyclegan.commands.run_card import RunCard
from keras_cyclegan.commands.run_folder import CHANGEABLE, compare_options, locked, write_options
from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.losses import (
    AdversarialLoss,
    CycleConsistencyLoss,
    GradientPenalty,
    IdentityLoss,
    PerceptualLoss,
    WeightSchedule,
)
from keras_cyclegan.metrics import KernelInceptionDistance
from keras_cyclegan.metrics.features import describe_extractor
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.optimizers import LinearDecay, paper_adam
from keras_cyclegan.trainers.distribution import (
    check_agreement,
    distributed,
    is_chief,
    process_share,
    together,
)
from keras_cyclegan.trainers.dtype_trial import refuse_slow_dtype

# For generators and for discriminators: their names in the model, the option that chooses their
# class, what it can choose, and the options that become the class's arguments.
KINDS = (
    (NETWORKS[:2], "generator", GENERATORS, GENERATOR_ARGUMENTS),
    (NETWORKS[2:], "discriminator", DISCRIMINATORS, DISCRIMINATOR_ARGUMENTS),
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
            together(lambda: writes and stack.enter_context(locked(folder)))
            model, keeper = _train(folder, options, adjust, slow_dtype)
        # After the context of all machines: in it, a new variable waits for the other machines.
        if writes:
            with atomic_file(folder / "model.keras") as unfinished:
                model.save(unfinished)
            keeper.write()
            print(f"Done: {folder}/model.keras, and {folder}/preset for `translate` and `export`.")
    return model


def _train(folder, options, adjust, slow_dtype):
    for line in together(lambda: compare_options(folder, options, adjust)):
        print(line)
    keras.utils.set_random_seed(options.seed)
    train, validation = together(lambda: _load(options))
    relevant = {k: v for k, v in vars(options).items() if k not in CHANGEABLE}
    check_agreement(
        "Give all machines the same options and the same images.",
        options=zlib.crc32(repr(relevant).encode()) >> 1,  # JAX has 31 bits
        steps_per_epoch=train.steps_per_epoch,
    )
    model = build_model(options)
    if not slow_dtype:
        made = [getattr(model, name) for name in NETWORKS]
        refuse_slow_dtype(made, "`slow_dtype=True` trains nevertheless.")
    compile_model(model, options)
    scores, extractor = measure_scores(options)
    if is_chief():
        write_options(folder, options)  # after all that can fail before the run starts
    watched = train if validation is None else validation
    history = folder / "history.jsonl"
    keeper = PresetKeeper(
        folder / "preset",
        card=RunCard(options, model, history, extractor),
        half_precision=options.half_precision,
        minutes=options.checkpoint_minutes,
        best=folder / "best" if scores else None,
        lowest=lowest_score(history) if (folder / "best").exists() else None,
    )
    resume.fit(
        model,
        train,
        folder / "checkpoints",
        options.epochs,
        callbacks=[
            callbacks.Progress(),
            callbacks.SampleGrid(folder / "samples", watched),
            callbacks.FailureAlarms(watched),
            *scores,  # before what reads them
            callbacks.HistoryFile(history),
            keeper,
        ],
        minutes=options.checkpoint_minutes,
        steps=options.checkpoint_steps,
        keep=options.keep_checkpoints,
        verbose=0,
    )
    keeper.set_model(model)  # in a finished run, `fit` didn't
    return model, keeper


def _load(options):
    return data.load(
        options.data,
        image_size=options.image_size,
        load_size=options.load_size,
        resize=options.resize,
        flip=options.flip,
        batch_size=options.batch_size,
        seed=options.seed,
        steps_per_epoch=options.steps_per_epoch,
        on_error=options.on_error,
        process_share=process_share(),
    )


def measure_scores(options):
    """Make the callback for `options.scores`, in a list, and the description of its features."""
    if options.scores is None:
        return [], None
    from keras_cyclegan.evaluation.extractors import find_extractor

    extractor, note = find_extractor(None)
    if extractor is None:
        raise ValueError(f"KID can't be measured on `scores`: {note}")
    if note:
        print(note)
    images_a, images_b, _ = data.load_sets(options.scores, options.image_size)
    count = min(len(images_a), len(images_b))
    kid = KernelInceptionDistance(extractor, name="kid")
    batch = data.to_unit(images_a[:count]), data.to_unit(images_b[:count])
    callback = callbacks.TranslationMetrics([batch], [kid], count, options.scores_every)
    return [callback], describe_extractor(extractor, None)["extractor"]


def lowest_score(history):
    """Return the lowest mean KID of both directions in `history.jsonl`, or None."""
    rows = [row for row in read_history(history) if "kid_ab" in row]
    return min(((row["kid_ab"] + row["kid_ba"]) / 2 for row in rows), default=None)


def build_model(options):
    """Make the model of a run: networks of the preset `options.init`, and new ones."""
    shape = (options.image_size, options.image_size, 3)
    made = {}
    if options.init is not None:
        policy = {} if options.dtype == "float32" else {"dtype": options.dtype}
        start = CycleGAN.from_preset(options.init, **policy)
        taken = NETWORKS[:2] if options.fresh_discriminators else NETWORKS
        made = {name: getattr(start, name) for name in taken if getattr(start, name)}
        check_init(options, made)
    for names, *kind in KINDS:
        for name in names:
            if name not in made:
                made[name] = new_network(shape, options, name, *kind)
    return CycleGAN(**made, image_shape=shape, pool_size=options.pool_size, dtype=options.dtype)


def new_network(shape, options, name, choice, classes, arguments):
    """Make a network as the options describe it.

    Args:
        shape: `(height, width, channels)`.
        options: `TrainingOptions`.
        name: the network's name in the model.
        choice: name of the option that chooses the class.
        classes: dict from its values to names of classes in `keras_cyclegan.networks`.
        arguments: dict from other options to arguments of such classes.

    Raises:
        ValueError: an option was given for which the class has no argument.
    """
    made = {other: getattr(networks, class_name) for other, class_name in classes.items()}
    chosen = getattr(options, choice)
    takes = inspect.signature(made[chosen]).parameters
    given = {}
    for option, argument in arguments.items():
        if argument in takes:
            if option == "augment":
                given[argument] = {} if options.augment else None
            elif getattr(options, option) is not None:
                given[argument] = getattr(options, option)
        elif is_given(options, option):
            able = [k for k, one in made.items() if argument in inspect.signature(one).parameters]
            raise ValueError(
                f"`{option}` is for {choice}s of the kind {' or '.join(able)}. Received "
                f"{option}={getattr(options, option)} with {choice}={chosen}."
            )
    return made[chosen](shape, **given, dtype=options.dtype, name=name)


def is_given(options, name):
    """Return whether an option has another value than its default."""
    return getattr(options, name) != getattr(TrainingOptions, name)


def check_init(options, taken):
    """Raise a ValueError for options of networks that all come from the preset."""
    for names, choice, _, arguments in KINDS:
        given = [
            f"{option}={getattr(options, option)}"
            for option in (choice, *arguments)
            if is_given(options, option)
        ]
        if given and set(names) <= set(taken):
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(names)}, which "
                f"{', '.join(given)} can't change. Leave these options out, or `init`."
            )


def compile_model(model, options):
    """Compile the model with the losses and the optimizers of the options."""

    def adam(rate):
        schedule = LinearDecay(rate, decay_epochs=options.decay_epochs)
        return paper_adam(schedule, options.clip_norm, options.weight_penalty, options.accumulate)

    rate, discriminator_rate = options.learning_rate, options.discriminator_learning_rate
    perceptual = options.perceptual_weight
    identity = None
    if options.identity_weight:
        identity = IdentityLoss(
            options.identity_norm, options.identity_weight, options.identity_every
        )
    features, final = options.perceptual_features, options.final_cycle_weight
    model.compile(
        adam(rate),
        adam(rate if discriminator_rate is None else discriminator_rate),
        adversarial_loss=AdversarialLoss(
            options.adversarial_loss, options.adversarial_weight, options.label_smoothing
        ),
        gradient_penalty=penalty(options),
        cycle_loss=CycleConsistencyLoss(
            options.cycle_norm, options.cycle_weight, options.ssim_weight
        ),
        cycle_schedule=None if final is None else WeightSchedule(final / options.cycle_weight),
        identity_loss=identity,
        perceptual_loss=PerceptualLoss(features, options.perceptual_norm, perceptual)
        if perceptual
        else None,
        activation_loss=options.activation_weight or None,
        weight_a=options.weight_a,
        weight_b=options.weight_b,
        ema_momentum=options.ema,
        monitor_gradients=True,
        remat=options.remat,
    )


def penalty(options):
    """Make the gradient penalty of the options, or None.

    Raises:
        ValueError: there is none that their weight or their steps could be for.
    """
    given = {"weight": options.penalty_weight, "every": options.penalty_every}
    given = {name: value for name, value in given.items() if value is not None}
    if options.gradient_penalty is not None:
        return GradientPenalty(options.gradient_penalty, **given)
    if given:
        name, value = next(iter(given.items()))
        raise ValueError(
            f"`penalty_{name}` needs a `gradient_penalty`, {' or '.join(GradientPenalty.kinds)}. "
            f"Received penalty_{name}={value} without one."
        )
    return None
