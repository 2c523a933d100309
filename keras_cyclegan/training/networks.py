"""The networks of a run: made new, or taken from a preset."""

import dataclasses
import inspect
from typing import Literal

from keras_cyclegan.training.option import option, sides_of

# From the names of families to their classes in `keras_cyclegan.networks`.
GENERATORS = {
    "resnet": "ResNetGenerator",
    "unet": "UNetGenerator",
    "attention": "AttentionGenerator",
    "ugatit": "UGATITGenerator",
    "feature": "FeatureGenerator",
}
DISCRIMINATORS = {
    "patch": "PatchDiscriminator",
    "pixel": "PixelDiscriminator",
    "multiscale": "MultiScaleDiscriminator",
    "projected": "ProjectedDiscriminator",
    "ugatit": "UGATITDiscriminator",
}
STRENGTHS = "brightness", "saturation", "contrast", "translation", "cutout"  # of `augment_`

UPSAMPLING = "How maps are enlarged. Default: transposed; of a feature generator, bilinear."
BLOCK = "Residual blocks of whole convolutions, or of separable ones, at a tenth of the cost."
ENCODER = (
    "Frozen network of a feature generator: efficientnet-lite1, the default, -lite0, or one of "
    "keras.applications."
)
FOREGROUNDS = "Images that attention blends. Default: 9; 1 with `shared_decoder`."
FEATURES = "Frozen network of projected ones: efficientnet-lite1, or one of keras.applications."
PIXELS = "Width of the PatchGAN beside projected ones; 0 for none. Default: 32."
INIT = "Preset whose networks are trained further, in place of new ones; what it lacks is made new."
DTYPE = "Policy of all networks: mixed_float16 on GPUs, mixed_bfloat16 on processors that have it."


@dataclasses.dataclass(frozen=True)
class GeneratorOptions:
    """Arguments of the generators' classes, each for those that have it."""

    generator: Literal[*GENERATORS] = option("Family of the generators.", "resnet")
    filters: int | None = option("Width. Default: 64, or 24 of a feature generator.", least=1)
    blocks: int | None = option("Residual blocks. Default: 9, or 6 below 256 pixels.", least=0)
    upsampling: Literal["transposed", "resize", "bilinear"] | None = option(UPSAMPLING)
    block: Literal["standard", "separable"] = option(BLOCK, "standard")
    affine_norm: bool = option("Let norms of generators learn a scale and an offset.", False)
    padding: Literal["reflect", "zeros"] = option("What is beyond the border.", "reflect")
    dropout: float = option("Dropout rate in the residual blocks.", 0.0, least=0, below=1)
    downsamplings: int | None = option("Of a unet. Default: 8, or 7 below 256 pixels.", least=5)
    input_skip: bool = option("Let generators start as the identity.", False)
    encoder: str | None = option(ENCODER)
    shared_decoder: bool = option("One decoder to paint and mask, of attention.", False)
    foregrounds: int | None = option(FOREGROUNDS, least=1)


@dataclasses.dataclass(frozen=True)
class DiscriminatorOptions:
    """Arguments of the discriminators' classes, and what discriminators are shown."""

    discriminator: Literal[*DISCRIMINATORS] = option("Family of the discriminators.", "patch")
    discriminator_filters: int = option("Width of the discriminators.", 64, least=1)
    discriminator_layers: int = option("Depth, and so the size of a patch.", 3, least=1)
    discriminator_scales: int | None = option("Of multiscale or projected ones.", least=1)
    spectral_norm: bool = option("Divide kernels of patch or multiscale ones by it.", False)
    discriminator_affine_norm: bool = option("Let norms learn a scale and an offset.", False)
    discriminator_features: str | None = option(FEATURES)
    discriminator_pixel_filters: int | None = option(PIXELS, least=0)
    pool_size: int = option("Translations kept to be shown again.", 50, least=0)
    augment: bool = option("Change the images that discriminators see.", False)
    augment_brightness: float | None = option("Default: 0.3.", least=0, needs="augment")
    augment_saturation: float | None = option("Default: 0.6.", least=0, needs="augment")
    augment_contrast: float | None = option("Default: 0.4.", least=0, needs="augment")
    augment_translation: float | None = option("Default: 0.125.", least=0, needs="augment")
    augment_cutout: float | None = option("Default: 0.5.", least=0, needs="augment")


@dataclasses.dataclass(frozen=True)
class NetworkOptions(DiscriminatorOptions, GeneratorOptions):
    """All four networks: where they come from, and their dtype."""

    init: str | None = option(INIT)
    fresh_discriminators: bool = option("Only generators of `init`.", False, needs="init")
    dtype: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(DTYPE, "float32")


PLAYERS = {
    "generator": (GENERATORS, GeneratorOptions),
    "discriminator": (DISCRIMINATORS, DiscriminatorOptions),
}


def build_model(options):
    """Make the model of a run: networks of the preset `options.init`, and new ones."""
    from keras_cyclegan.cyclegan import CycleGAN
    from keras_cyclegan.networks.compatibility import NETWORKS
    from keras_cyclegan.networks.efficientnet import VARIANTS
    from keras_cyclegan.networks.encoders import find_application

    features = options.discriminator_features
    if features not in (None, *VARIANTS):  # or a discriminator would miss it in the first step
        find_application(features, *VARIANTS)
    made = {}
    if options.init is not None:
        policy = {} if options.dtype == "float32" else {"dtype": options.dtype}
        start = CycleGAN.from_preset(options.init, **policy)
        taken = NETWORKS[:2] if options.fresh_discriminators else NETWORKS
        made = {name: getattr(start, name) for name in taken if getattr(start, name)}
        _check_init(options, made)
    made |= {name: new_network(options, name) for name in NETWORKS if name not in made}
    shape = (*sides_of(options.image_size), options.channels_a)
    return CycleGAN(**made, image_shape=shape, pool_size=options.pool_size, dtype=options.dtype)


def new_network(options, name):
    """Make a network, `"generator_ab"` for example, of those options that its class has."""
    from keras_cyclegan import networks

    player = name.split("_")[0]
    channels = options.channels_a, options.channels_b
    if name in ("generator_ba", "discriminator_b"):
        channels = channels[::-1]
    family, takes = getattr(options, player), _arguments(player)
    given = {}
    if "output_channels" in takes[family]:
        given["output_channels"] = channels[1]
    elif player == "generator" and channels[0] != channels[1]:
        raise ValueError(
            f"Generators of the kind {family} give as many channels as they take. Received "
            f"channels_a={options.channels_a}, channels_b={options.channels_b}."
        )
    for option_name, argument in _passed(player).items():
        value = getattr(options, option_name)
        if argument in takes[family]:
            if option_name == "augment":  # which becomes the arguments of the augmentation
                strengths = {name: getattr(options, f"augment_{name}") for name in STRENGTHS}
                value = {k: x for k, x in strengths.items() if x is not None} if value else None
            given |= {} if value is None else {argument: value}
        elif value != getattr(type(options), option_name):
            able = [other for other, arguments in takes.items() if argument in arguments]
            raise ValueError(
                f"`{option_name}` is for {player}s of the kind {' or '.join(able)}. Received "
                f"{option_name}={value} with {player}={family}."
            )
    shape = (*sides_of(options.image_size), channels[0])
    made = getattr(networks, PLAYERS[player][0][family])
    return made(shape, **given, dtype=options.dtype, name=name)


def _arguments(player):
    """Return the arguments of each family's class."""
    from keras_cyclegan import networks

    return {
        family: inspect.signature(getattr(networks, made)).parameters
        for family, made in PLAYERS[player][0].items()
    }


def _passed(player):
    """Map options to the arguments of a player's classes: `blocks` to `num_blocks`."""
    known = set().union(*_arguments(player).values())
    passed = {"augment": "augmentation"} if player == "discriminator" else {}
    for name in PLAYERS[player][1].__annotations__:
        stem = name.removeprefix("discriminator_")
        argument = stem if stem in known else f"num_{stem}"
        if argument in known:
            passed[name] = argument
    return passed


def _check_init(options, taken):
    """Raise a ValueError for options of networks that all come from the preset."""
    for player in PLAYERS:
        given = [
            f"{name}={getattr(options, name)}"
            for name in (player, *_passed(player))
            if getattr(options, name) != getattr(type(options), name)
        ]
        own = [name for name in taken if name.startswith(player)]
        if given and len(own) == 2:
            fresh = "" if player == "generator" else ", or give `fresh_discriminators`"
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(own)}, which "
                f"{', '.join(given)} can't change. Leave these options out, or `init`{fresh}."
            )
