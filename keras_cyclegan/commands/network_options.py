"""The options of a training run that describe the networks."""

import dataclasses
from typing import Annotated

from keras_cyclegan.commands.choices import DISCRIMINATORS, GENERATORS
from keras_cyclegan.commands.option_parser import Option


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The four networks: made new, or taken from a preset."""

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
    affine_norm: Annotated[
        bool, Option("Let the norms of generators learn a scale and an offset.")
    ] = False
    padding: Annotated[
        str,
        Option(
            "What generators see beyond the border: the image mirrored, or zeros.",
            choices=("reflect", "zeros"),
        ),
    ] = "reflect"
    dropout: Annotated[
        float,
        Option(
            "Part of the values that blocks of generators leave out at random.", least=0, below=1
        ),
    ] = 0.0
    downsamplings: Annotated[
        int | None,
        Option("Halvings of a unet generator. Default: 8, or 7 below 256 pixels.", least=5),
    ] = None
    input_skip: Annotated[
        bool, Option("Let generators start as the identity, and learn only what changes.")
    ] = False
    shared_decoder: Annotated[
        bool, Option("Let one light decoder of an attention generator both paint and mask.")
    ] = False
    foregrounds: Annotated[
        int | None,
        Option(
            "Images that an attention generator paints and blends. Default: 9; 1 with "
            "`shared_decoder`.",
            least=1,
        ),
    ] = None
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
    discriminator_affine_norm: Annotated[
        bool, Option("Let the norms of discriminators learn a scale and an offset.")
    ] = False
    discriminator_features: Annotated[
        str | None,
        Option(
            "Frozen network through which projected ones look: efficientnet-lite1, the default, or "
            "the name of one of keras.applications, which Keras downloads."
        ),
    ] = None
    discriminator_pixel_filters: Annotated[
        int | None,
        Option(
            "Width of the PatchGAN that projected ones have beside it; 0 for none. Default: 32.",
            least=0,
        ),
    ] = None
    pool_size: Annotated[
        int, Option("Translated images kept to be shown to each discriminator again.", least=0)
    ] = 50
    augment: Annotated[
        bool,
        Option("Show discriminators images with changed colours, shifted and partly covered."),
    ] = False
    augment_brightness: Annotated[
        float | None,
        Option(
            "With `augment`: how much brighter or darker an image may get. Default: 0.3.", least=0
        ),
    ] = None
    augment_saturation: Annotated[
        float | None,
        Option(
            "With `augment`: by which part its colours may get stronger or weaker. Default: 0.6.",
            least=0,
        ),
    ] = None
    augment_contrast: Annotated[
        float | None,
        Option(
            "With `augment`: by which part its contrast may get stronger or weaker. Default: 0.4.",
            least=0,
        ),
    ] = None
    augment_translation: Annotated[
        float | None,
        Option(
            "With `augment`: its largest shift, as a part of its size. Default: 0.125.", least=0
        ),
    ] = None
    augment_cutout: Annotated[
        float | None,
        Option(
            "With `augment`: side of the covered square, as a part of its size. Default: 0.5.",
            least=0,
        ),
    ] = None
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
