"""The networks of a run: made new, or taken from a preset."""

import dataclasses
import inspect

from keras_cyclegan.training.option import option, sides_of

# From the names of families to their classes in `keras_cyclegan.networks`. A class gets those of
# the options below, by what they are `passed_as`, for which it has an argument.
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
CLASSES = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}
AUGMENT = "augment_"  # begins the options that are arguments of `DifferentiableAugmentation`


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The four networks: made new, or taken from a preset."""

    generator: str = option("resnet", "Family of the generators.", choices=GENERATORS)
    filters: int = option(64, "Width of the generators.", least=1, passed_as="filters")
    blocks: int | None = option(
        None,
        "Residual blocks of the generators. Default: 9, or 6 below 256 pixels.",
        least=0,
        passed_as="num_blocks",
    )
    upsampling: str = option(
        "transposed",
        "How generators enlarge maps: transposed convolutions, or resize (no checkerboard); a "
        "feature generator by resize or bilinear.",
        choices=("transposed", "resize", "bilinear"),
        passed_as="upsampling",
    )
    block: str = option(
        "standard",
        "Residual blocks: of whole convolutions, or of separable ones, at a tenth of the cost.",
        choices=("standard", "separable"),
        passed_as="block",
    )
    affine_norm: bool = option(
        False, "Let the norms of generators learn a scale and an offset.", passed_as="affine_norm"
    )
    padding: str = option(
        "reflect",
        "What generators see beyond the border: the image mirrored, or zeros.",
        choices=("reflect", "zeros"),
        passed_as="padding",
    )
    dropout: float = option(
        0.0, "Dropout rate in the residual blocks.", least=0, below=1, passed_as="dropout"
    )
    downsamplings: int | None = option(
        None,
        "Halvings of a unet generator. Default: 8, or 7 below 256 pixels.",
        least=5,
        passed_as="num_downsamplings",
    )
    input_skip: bool = option(
        False,
        "Let generators start as the identity, and learn only what changes.",
        passed_as="input_skip",
    )
    encoder: str | None = option(
        None,
        "Frozen network of a feature generator: efficientnet-lite1, the default, or -lite0.",
        passed_as="encoder",
    )
    shared_decoder: bool = option(
        False,
        "Let one light decoder of an attention generator both paint and mask.",
        passed_as="shared_decoder",
    )
    foregrounds: int | None = option(
        None,
        "Images that an attention generator paints and blends. Default: 9; 1 with "
        "`shared_decoder`.",
        least=1,
        passed_as="foregrounds",
    )
    discriminator: str = option("patch", "Family of the discriminators.", choices=DISCRIMINATORS)
    discriminator_filters: int = option(
        64, "Width of the discriminators.", least=1, passed_as="filters"
    )
    discriminator_layers: int = option(
        3,
        "Depth of the discriminators, and so the size of a patch.",
        least=1,
        passed_as="num_layers",
    )
    discriminator_scales: int | None = option(
        None,
        "Number of scales that multiscale or projected ones judge. Default: 3 or 4.",
        least=1,
        passed_as="num_scales",
    )
    spectral_norm: bool = option(
        False,
        "Divide the kernels of patch or multiscale ones by their spectral norm.",
        passed_as="spectral_norm",
    )
    discriminator_affine_norm: bool = option(
        False,
        "Let the norms of discriminators learn a scale and an offset.",
        passed_as="affine_norm",
    )
    discriminator_features: str | None = option(
        None,
        "Frozen network through which projected ones look: efficientnet-lite1, the default, "
        "or the name of one of keras.applications, which Keras downloads.",
        passed_as="features",
    )
    discriminator_pixel_filters: int | None = option(
        None,
        "Width of the PatchGAN that projected ones have beside it; 0 for none. Default: 32.",
        least=0,
        passed_as="pixel_filters",
    )
    pool_size: int = option(
        50, "Translated images kept to be shown to each discriminator again.", least=0
    )
    augment: bool = option(
        False,
        "Show discriminators images with changed colours, shifted and partly covered.",
        passed_as="augmentation",
    )
    augment_brightness: float | None = option(
        None, "With `augment`: how much brighter or darker an image may get. Default: 0.3.", least=0
    )
    augment_saturation: float | None = option(
        None,
        "With `augment`: by which part its colours may get stronger or weaker. Default: 0.6.",
        least=0,
    )
    augment_contrast: float | None = option(
        None,
        "With `augment`: by which part its contrast may get stronger or weaker. Default: 0.4.",
        least=0,
    )
    augment_translation: float | None = option(
        None, "With `augment`: its largest shift, as a part of its size. Default: 0.125.", least=0
    )
    augment_cutout: float | None = option(
        None,
        "With `augment`: side of the covered square, as a part of its size. Default: 0.5.",
        least=0,
    )
    init: str | None = option(
        None,
        "Preset whose networks are trained further, in place of new ones; networks that it "
        "lacks are made new.",
    )
    fresh_discriminators: bool = option(
        False, "Take only the generators from the preset of `init`."
    )
    dtype: str = option(
        "float32",
        "Policy of all networks. mixed_bfloat16 is faster on processors that have it, "
        "mixed_float16 on GPUs.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )

    def __post_init__(self):
        super().__post_init__()
        if self.fresh_discriminators and self.init is None:
            raise ValueError("`fresh_discriminators` needs `init`, a preset to start from.")
        for name in _augmentations():
            if getattr(self, name) is not None and not self.augment:
                raise ValueError(
                    f"`{name}` needs `augment`, which says whether images are changed."
                )


def build_model(options):
    """Make the model of a run: networks of the preset `options.init`, and new ones."""
    from keras_cyclegan.cyclegan import CycleGAN
    from keras_cyclegan.networks.compatibility import NETWORKS

    if options.discriminator_features is not None:
        _check_features(options.discriminator_features)
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
    """Make a network, `"generator_ab"` for example, as the options describe it.

    Raises:
        ValueError: an option was given for which the class has no argument, or the domains differ
            in channels and the class gives as many as it takes.
    """
    from keras_cyclegan import networks

    player = name.split("_")[0]
    channels = options.channels_a, options.channels_b
    if name in ("generator_ba", "discriminator_b"):
        channels = channels[::-1]
    chosen = getattr(options, player)
    takes = {
        family: inspect.signature(getattr(networks, made)).parameters
        for family, made in CLASSES[player].items()
    }
    given = {}
    if "output_channels" in takes[chosen]:
        given["output_channels"] = channels[1]
    elif player == "generator" and channels[0] != channels[1]:
        raise ValueError(
            f"Generators of the kind {chosen} give as many channels as they take. Received "
            f"channels_a={options.channels_a}, channels_b={options.channels_b}."
        )
    for option_name, argument in _passed(player):
        value = getattr(options, option_name)
        if argument in takes[chosen]:
            if option_name == "augment":
                given[argument] = _augmentation(options)
            elif value is not None:
                given[argument] = value
        elif value != getattr(type(options), option_name):
            able = [family for family, arguments in takes.items() if argument in arguments]
            raise ValueError(
                f"`{option_name}` is for {player}s of the kind {' or '.join(able)}. Received "
                f"{option_name}={value} with {player}={chosen}."
            )
    shape = (*sides_of(options.image_size), channels[0])
    return getattr(networks, CLASSES[player][chosen])(
        shape, **given, dtype=options.dtype, name=name
    )


def _passed(player):
    """List the options that are passed to a player's classes, and the arguments they become."""
    fields = dataclasses.fields(NetworkOptions)
    judges = [field.name for field in fields].index("discriminator")
    part = fields[:judges] if player == "generator" else fields[judges:]
    named = [(field.name, field.metadata["option"].passed_as) for field in part]
    return [(name, argument) for name, argument in named if argument]


def _augmentations():
    names = [field.name for field in dataclasses.fields(NetworkOptions)]
    return [name for name in names if name.startswith(AUGMENT)]


def _augmentation(options):
    """Return the arguments of `DifferentiableAugmentation` that were given, or None for none."""
    if not options.augment:
        return None
    given = {name.removeprefix(AUGMENT): getattr(options, name) for name in _augmentations()}
    return {argument: value for argument, value in given.items() if value is not None}


def _check_features(name):
    """Raise a ValueError for a name that a discriminator would only miss in the first step."""
    from keras_cyclegan.networks.applications import find_application
    from keras_cyclegan.networks.efficientnet import VARIANTS

    if name not in VARIANTS:
        find_application(name, *VARIANTS)


def _check_init(options, taken):
    """Raise a ValueError for options of networks that all come from the preset."""
    for player in CLASSES:
        names = [player, *(name for name, _ in _passed(player))]
        given = [
            f"{name}={getattr(options, name)}"
            for name in names
            if getattr(options, name) != getattr(type(options), name)
        ]
        own = [name for name in taken if name.startswith(player)]
        if given and len(own) == 2:
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(own)}, which "
                f"{', '.join(given)} can't change. Leave these options out, or `init`."
            )
