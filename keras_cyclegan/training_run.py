"""A training run as a folder: its options, log, pictures, checkpoints and, at the end, a model."""

import dataclasses
import json
from pathlib import Path

import keras

from keras_cyclegan import callbacks, data, recipe
from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.losses import IdentityLoss
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.optimizers import LinearDecay
from keras_cyclegan.whole import whole_file


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a run is made of; the defaults are the paper's.

    Args:
        data: source of the images, as `keras_cyclegan.data.load` takes it.
        image_size: int. Side of the training images in pixels, a multiple of 4.
        epochs: int.
        steps_per_epoch: int. None: images of the larger domain by the batch.
        batch_size: int.
        filters: int. Width of the generators.
        blocks: int. Residual blocks of the generators; None: 9, or 6 below 256 pixels.
        upsampling: `"transposed"` or `"resize"`.
        discriminator_filters: int. Width of the discriminators.
        discriminator_layers: int. Depth of the discriminators.
        identity_weight: float. Weight of the identity loss, 0 for none.
        learning_rate: float.
        decay_epochs: int. Last epochs, in which the rate falls to 0; None: half of all.
        dtype: policy of all networks.
        seed: int. Fixes weights, order, crops and draws.
        checkpoint_minutes: float. Least time between two checkpoints.
        on_error: `"raise"` or `"skip"` image files that can't be used.
    """

    data: str
    image_size: int = 256
    epochs: int = 200
    steps_per_epoch: int | None = None
    batch_size: int = 1
    filters: int = 64
    blocks: int | None = None
    upsampling: str = "transposed"
    discriminator_filters: int = 64
    discriminator_layers: int = 3
    identity_weight: float = 5.0
    learning_rate: float = 2e-4
    decay_epochs: int | None = None
    dtype: str = "float32"
    seed: int = 0
    checkpoint_minutes: float = 2.0
    on_error: str = "raise"


def train_run(folder, options):
    """Train as `options` say, or go on with the run that `folder` holds.

    The folder explains itself: `config.json` (the options), `history.jsonl` (a line an epoch),
    `samples/epoch-0001.png` …, `checkpoints/`, and `model.keras` when the last epoch is done.

    Args:
        folder: path; made where it doesn't exist.
        options: `TrainingOptions`.

    Returns:
        The trained `CycleGAN`.

    Raises:
        ValueError: the folder holds a run with other options.
    """
    folder = Path(folder)
    keras.utils.set_random_seed(options.seed)
    train, validation = data.load(
        options.data,
        image_size=options.image_size,
        batch_size=options.batch_size,
        seed=options.seed,
        steps_per_epoch=options.steps_per_epoch,
        on_error=options.on_error,
    )
    record_options(folder, options)
    model = build_model(options)
    compile_model(model, options, train.steps_per_epoch)
    state = callbacks.TrainingState(
        folder / "checkpoints", train, minutes=options.checkpoint_minutes
    )
    if state.step:
        print(f"Going on with {folder} at step {state.step}.")
    watched = train if validation is None else validation
    state.fit(
        model,
        epochs=options.epochs,
        callbacks=[
            callbacks.SampleGrid(folder / "samples", watched),
            callbacks.FailureAlarms(watched),
            callbacks.HistoryFile(folder / "history.jsonl"),
        ],
    )
    with whole_file(folder / "model.keras") as unfinished:
        model.save(unfinished)
    return model


def build_model(options):
    """The four networks of a run."""
    size, policy = options.image_size, options.dtype
    shape = (size, size, 3)
    generators = {
        name: ResNetGenerator(
            shape,
            filters=options.filters,
            num_blocks=options.blocks,
            upsampling=options.upsampling,
            dtype=policy,
            name=name,
        )
        for name in ("generator_ab", "generator_ba")
    }
    discriminators = {
        name: PatchDiscriminator(
            shape,
            filters=options.discriminator_filters,
            num_layers=options.discriminator_layers,
            dtype=policy,
            name=name,
        )
        for name in ("discriminator_a", "discriminator_b")
    }
    return CycleGAN(**generators, **discriminators, image_shape=shape, dtype=policy)


def compile_model(model, options, steps_per_epoch):
    """The paper's recipe with the run's learning rate and identity weight."""
    epochs, decay_epochs = options.epochs, options.decay_epochs
    if decay_epochs is None:
        decay_epochs = epochs // 2

    def adam():
        schedule = LinearDecay(
            options.learning_rate,
            constant_steps=max(0, epochs - decay_epochs) * steps_per_epoch,
            decay_steps=max(1, decay_epochs * steps_per_epoch),
        )
        return recipe.adam(schedule)

    weight = options.identity_weight
    model.compile(adam(), adam(), identity_loss=IdentityLoss(weight=weight) if weight else None)


# What may be changed when a run goes on.
CHANGEABLE = {"checkpoint_minutes", "on_error", "data"}


def record_options(folder, options):
    """Write `config.json`, or compare it with what a run that goes on is asked for."""
    path = folder / "config.json"
    options = dataclasses.asdict(options)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(options, indent=2) + "\n")
        return
    recorded = json.loads(path.read_text())
    changed = [
        f"{name} was {recorded.get(name)!r}, now {value!r}"
        for name, value in options.items()
        if name not in CHANGEABLE and recorded.get(name) != value
    ]
    if changed:
        raise ValueError(
            f"{folder} holds a run with other options: {'; '.join(changed)}. Give the same options "
            "to go on with it, or another --out to start a new run."
        )
