"""A training run as a folder: its options, log, pictures, checkpoints and, at the end, a model."""

import dataclasses
import json
import zlib
from pathlib import Path

import keras

from keras_cyclegan import callbacks, data, resume
from keras_cyclegan.cyclegan import NETWORKS, CycleGAN
from keras_cyclegan.files.atomic import whole_file
from keras_cyclegan.losses import CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.optimizers import LinearDecay, paper_adam
from keras_cyclegan.trainers.distribution import check_agreement, distributed, is_chief, part

GENERATORS, DISCRIMINATORS = NETWORKS[:2], NETWORKS[2:]


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a run is made of; the defaults are the paper's.

    Args:
        data: source of the images, as `keras_cyclegan.data.load` takes it.
        image_size: int. Side of the training images in pixels, a multiple of 4.
        load_size: int. Side that images are resized to before `image_size` is cut from them; None:
            `image_size * 286 / 256`.
        epochs: int.
        steps_per_epoch: int. None: images of the larger domain by the batch.
        batch_size: int.
        filters: int. Width of the generators.
        blocks: int. Residual blocks of the generators; None: 9, or 6 below 256 pixels.
        upsampling: `"transposed"` or `"resize"`.
        discriminator_filters: int. Width of the discriminators.
        discriminator_layers: int. Depth of the discriminators.
        cycle_weight: float. Weight of the cycle-consistency loss.
        identity_weight: float. Weight of the identity loss, 0 for none.
        learning_rate: float.
        decay_epochs: int. Last epochs, in which the rate falls to 0; None: half of all.
        dtype: policy of all networks.
        clip_norm: float. Largest norm of the gradients of both generators together, and of both
            discriminators; None: any.
        ema: float. Momentum of the generators' running averages, which stand in for them in
            samples, translations and presets; None: no averages.
        init: preset to start from. Its networks replace those that the options describe, which
            stay as they are for a network that it lacks.
        seed: int. Fixes weights, order, crops and draws.
        checkpoint_minutes: float. Time after which a checkpoint is due.
        checkpoint_steps: int. Steps after which one is due too; None: time alone counts.
        keep_checkpoints: int. Newest checkpoints kept.
        on_error: `"raise"` or `"skip"` image files that can't be used.
        distribute: `"devices"`, `"machines"` or None: see `distribution.distributed`. Machines
            must share the run's folder, which the first of them writes.
    """

    data: str
    image_size: int = 256
    load_size: int | None = None
    epochs: int = 200
    steps_per_epoch: int | None = None
    batch_size: int = 1
    filters: int = 64
    blocks: int | None = None
    upsampling: str = "transposed"
    discriminator_filters: int = 64
    discriminator_layers: int = 3
    cycle_weight: float = 10.0
    identity_weight: float = 5.0
    learning_rate: float = 2e-4
    decay_epochs: int | None = None
    dtype: str = "float32"
    clip_norm: float | None = None
    ema: float | None = None
    init: str | None = None
    seed: int = 0
    checkpoint_minutes: float = 2.0
    checkpoint_steps: int | None = None
    keep_checkpoints: int = 2
    on_error: str = "raise"
    distribute: str | None = None


def train_run(folder, options, adjust=False):
    """Train as `options` say, or go on with the run that `folder` holds.

    The folder explains itself: `config.json` (the options), `history.jsonl` (a line an epoch),
    `samples/epoch-0001.png` …, `checkpoints/`, and when the last epoch is done `model.keras` (to
    train on in Python) and `preset` (to translate with).

    Args:
        folder: path; made where it doesn't exist.
        options: `TrainingOptions`.
        adjust: bool. Whether a run that goes on may do so with another learning rate or another
            clipping of gradients, after it diverged for example.

    Returns:
        The trained `CycleGAN`.

    Raises:
        ValueError: the folder holds a run with other options, or `init` contradicts them.
        DivergenceError, OSError, KeyboardInterrupt, SystemExit: see `resume.fit`.
    """
    folder = Path(folder)
    with distributed(options.distribute, options.batch_size):
        model = _train(folder, options, adjust)
        writes = is_chief()
    # Not while the machines are one: a variable that one of them makes waits for the others.
    if writes:
        with whole_file(folder / "model.keras") as unfinished:
            model.save(unfinished)
        model.save_to_preset(folder / "preset")
        print(f"Done: {folder}/model.keras, and {folder}/preset for `translate` and `export`.")
    return model


def _train(folder, options, adjust):
    keras.utils.set_random_seed(options.seed)
    train, validation = data.load(
        options.data,
        image_size=options.image_size,
        load_size=options.load_size,
        batch_size=options.batch_size,
        seed=options.seed,
        steps_per_epoch=options.steps_per_epoch,
        on_error=options.on_error,
        part=part(),
    )
    relevant = {k: v for k, v in vars(options).items() if k not in CHANGEABLE}
    check_agreement(
        "Give all machines the same options and the same images.",
        options=zlib.crc32(repr(relevant).encode()) >> 1,  # JAX has 31 bits
        steps_per_epoch=train.steps_per_epoch,
    )
    model = build_model(options)
    compile_model(model, options)
    record_options(folder, options, adjust)  # a run that can't begin leaves no options behind
    watched = train if validation is None else validation
    resume.fit(
        model,
        train,
        folder / "checkpoints",
        options.epochs,
        callbacks=[
            callbacks.Progress(),
            callbacks.SampleGrid(folder / "samples", watched),
            callbacks.FailureAlarms(watched),
            callbacks.HistoryFile(folder / "history.jsonl"),
        ],
        minutes=options.checkpoint_minutes,
        steps=options.checkpoint_steps,
        keep=options.keep_checkpoints,
        verbose=0,
    )
    return model


def build_model(options):
    """The four networks of a run: those of the preset `options.init`, the others made anew."""
    shape = (options.image_size, options.image_size, 3)
    networks = {}
    if options.init is not None:
        policy = {} if options.dtype == "float32" else {"dtype": options.dtype}
        start = CycleGAN.from_preset(options.init, **policy)
        networks = {name: getattr(start, name) for name in NETWORKS if getattr(start, name)}
        check_init(options, networks)
    for name in NETWORKS:
        if name not in networks:
            make = new_generator if name in GENERATORS else new_discriminator
            networks[name] = make(shape, options, name)
    return CycleGAN(**networks, image_shape=shape, dtype=options.dtype)


def new_generator(shape, options, name):
    return ResNetGenerator(
        shape,
        filters=options.filters,
        num_blocks=options.blocks,
        upsampling=options.upsampling,
        dtype=options.dtype,
        name=name,
    )


def new_discriminator(shape, options, name):
    return PatchDiscriminator(
        shape,
        filters=options.discriminator_filters,
        num_layers=options.discriminator_layers,
        dtype=options.dtype,
        name=name,
    )


def check_init(options, networks):
    """Refuse options for networks that all come from the preset."""
    for names, described_by in (
        (GENERATORS, ("filters", "blocks", "upsampling")),
        (DISCRIMINATORS, ("discriminator_filters", "discriminator_layers")),
    ):
        given = [
            f"{option}={getattr(options, option)}"
            for option in described_by
            if getattr(options, option) != getattr(TrainingOptions, option)
        ]
        if given and set(names) <= set(networks):
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(names)}, which "
                f"{', '.join(given)} can't change. Leave these options out, or `init`."
            )


def compile_model(model, options):
    """The paper's recipe with the run's learning rate and weights."""

    def adam():
        schedule = LinearDecay(options.learning_rate, decay_epochs=options.decay_epochs)
        return paper_adam(schedule, options.clip_norm)

    weight = options.identity_weight
    model.compile(
        adam(),
        adam(),
        cycle_loss=CycleConsistencyLoss(weight=options.cycle_weight),
        identity_loss=IdentityLoss(weight=weight) if weight else None,
        ema_momentum=options.ema,
        monitor_gradients=True,
    )


# What may be changed when a run goes on: the course of training doesn't depend on it. The folder of
# the data may have moved.
CHANGEABLE = {
    "checkpoint_minutes",
    "checkpoint_steps",
    "keep_checkpoints",
    "on_error",
    "data",
    "distribute",
}
# What may be changed only if asked for.
ADJUSTABLE = {"learning_rate", "clip_norm"}


def record_options(folder, options, adjust=False):
    """Write `config.json`, or compare it with what a run that goes on is asked for."""
    path = folder / "config.json"
    options = dataclasses.asdict(options)
    recorded = json.loads(path.read_text()) if path.exists() else {}
    changed = {
        name: f"{name} was {recorded.get(name)!r}, now {value!r}"
        for name, value in options.items()
        if recorded and recorded.get(name) != value
    }
    allowed = CHANGEABLE | ADJUSTABLE if adjust else CHANGEABLE
    refused = [text for name, text in changed.items() if name not in allowed]
    if refused:
        raise ValueError(
            f"{folder} holds a run with other options: {'; '.join(refused)}. Give the same options "
            "to go on with it, or another --out to start a new run. With --adjust, it goes on with "
            f"another {' or '.join(sorted(ADJUSTABLE))}."
        )
    if changed:
        print(f"Changed: {'; '.join(changed.values())}.")
    if (changed or not recorded) and is_chief():
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps(options, indent=2) + "\n")
