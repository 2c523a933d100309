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

UPSAMPLING = "How maps are enlarged. Default: transposed; of a feature generator, bilinear."
BLOCK = "Residual blocks of whole convolutions, or of separable ones, at a tenth of the cost."
ENCODER = "Of a feature generator: efficientnet-lite1, -lite0, or one of keras.applications."
FEATURES = "Frozen network of projected ones: efficientnet-lite1, or one of keras.applications."
PIXELS = "Width of the PatchGAN beside projected ones; 0 for none. Default: 32."
ONE_WAY = "Train from A to B alone, without a cycle: `nce_weight` keeps what shall stay."
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


@dataclasses.dataclass(frozen=True)
class DiscriminatorOptions:
    """Arguments of the discriminators' classes, and what discriminators are shown."""

    discriminator: Literal[*DISCRIMINATORS] = option("Family of the discriminators.", "patch")
    discriminator_filters: int = option("Width of the discriminators.", 64, least=1)
    discriminator_layers: int = option("Depth, and so the size of a patch.", 3, least=1)
    discriminator_scales: int | None = option("Of multiscale or projected ones.", least=1)
    spectral_norm: bool = option("Divide kernels of patch or multiscale ones by it.", False)
    discriminator_features: str | None = option(FEATURES)
    discriminator_pixel_filters: int | None = option(PIXELS, least=0)
    augment: bool = option("Change the images that projected discriminators see.", False)


@dataclasses.dataclass(frozen=True)
class NetworkOptions(DiscriminatorOptions, GeneratorOptions):
    """All four networks: where they come from, what is shown again, and their dtype."""

    one_way: bool = option(ONE_WAY, False)
    init: str | None = option(INIT)
    fresh_discriminators: bool = option("Only generators of `init`.", False, needs="init")
    pool_size: int = option("Translations kept to be shown again.", 50, least=0)
    dtype: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(DTYPE, "float32")


ARGUMENTS = {  # of the classes, where they aren't called as the options, but for a prefix
    "blocks": "num_blocks",
    "downsamplings": "num_downsamplings",
    "augment": "augmentation",
    "discriminator_layers": "num_layers",
    "discriminator_scales": "num_scales",
}
PLAYERS = {
    "generator": (GENERATORS, GeneratorOptions),
    "discriminator": (DISCRIMINATORS, DiscriminatorOptions),
}


def build_model(options):
    """Make the model of a run: networks of the preset `options.init`, and new ones."""
    from keras_cyclegan.cyclegan import CycleGAN
    from keras_cyclegan.networks.compatibility import NETWORKS

    made, wanted = {}, NETWORKS[::3] if options.one_way else NETWORKS  # A to B, and B's judge
    if options.init is not None:
        policy = {} if options.dtype == "float32" else {"dtype": options.dtype}
        start = CycleGAN.from_preset(options.init, **policy)
        taken = wanted[: len(wanted) // 2] if options.fresh_discriminators else wanted
        made = {name: getattr(start, name) for name in taken if getattr(start, name)}
        _check_init(options, wanted, made)
    made |= {name: new_network(options, name) for name in wanted if name not in made}
    shape = (*sides_of(options.image_size), options.channels_a)
    made = dict.fromkeys(NETWORKS) | made
    return CycleGAN(**made, image_shape=shape, pool_size=options.pool_size, dtype=options.dtype)


def new_network(options, name):
    """Make a network, `"generator_ab"` for example, of those options that its class has."""
    from keras_cyclegan import networks

    player = name.split("_")[0]
    channels = options.channels_a, options.channels_b
    if name in ("generator_ba", "discriminator_b"):
        channels = channels[::-1]
    family = getattr(options, player)
    made = getattr(networks, PLAYERS[player][0][family])
    takes, given = inspect.signature(made).parameters, {}
    if "output_channels" in takes:
        given["output_channels"] = channels[1]
    elif player == "generator" and channels[0] != channels[1]:
        raise ValueError(
            f"Generators of the kind {family} give as many channels as they take. Received "
            f"channels_a={options.channels_a}, channels_b={options.channels_b}."
        )
    for option_name, argument, value, is_chosen in _arguments(options, player):
        if argument in takes and value is not None:
            given[argument] = value
        if argument not in (*takes, player) and is_chosen:
            raise ValueError(
                f"`{option_name}` is not for {player}s of the kind {family}. Received "
                f"{option_name}={getattr(options, option_name)}."
            )
    shape = (*sides_of(options.image_size), channels[0])
    return made(shape, **given, dtype=options.dtype, name=name)


def _arguments(options, player):
    """Yield a player's options: name, argument of its class, value, whether it was chosen."""
    for name in PLAYERS[player][1].__annotations__:
        chosen = getattr(options, name)
        value = ({} if chosen else None) if name == "augment" else chosen
        argument = ARGUMENTS.get(name, name.removeprefix("discriminator_"))
        yield name, argument, value, chosen != getattr(type(options), name)


def _check_init(options, wanted, taken):
    """Raise a ValueError for options that networks, all of them from the preset, aren't made of."""
    for player, (families, _) in PLAYERS.items():
        own = [name for name in wanted if name.startswith(player)]
        if not taken.keys() >= {*own}:
            continue
        kinds = {made: family for family, made in families.items()}
        made = [
            {**x.get_config(), player: kinds.get(type(x).__name__)} for x in map(taken.get, own)
        ]
        others = [
            f"{name}={getattr(options, name)}"
            for name, argument, value, is_chosen in _arguments(options, player)
            if is_chosen and any(one.get(argument) != value for one in made)
        ]
        if others:
            fresh = "" if player == "generator" else ", or give `fresh_discriminators`"
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(own)}, which "
                f"{', '.join(others)} can't change. Leave these options out, or `init`{fresh}."
            )
