"""The options of a training run that say which images it sees."""

import dataclasses
from typing import Annotated

from keras_cyclegan.arguments import FLIPS
from keras_cyclegan.commands.option_parser import Option, Size

RANGE = (
    "Values of {} that become black and white: LOW HIGH; auto, the 0.5 and 99.5 % quantiles over "
    "all images; auto_per_channel; or image, each image's own, which can't be undone. Default: all "
    "that 8 or 16 bits hold."
)


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The images, how they are resized, cut and mirrored, and how many make a step."""

    data: Annotated[
        str,
        Option(
            "Folder with trainA, trainB (and testA, testB); tfds:NAME; glyphs; or the images of A."
        ),
    ]
    data_b: Annotated[
        str | None,
        Option("Images of B, where those of A are in a folder of any name.", argument=True),
    ] = None
    image_size: Annotated[
        Size, Option("Pixels of a side, a multiple of 4, or HEIGHTxWIDTH.", least=4)
    ] = 256
    channels_a: Annotated[
        int, Option("Channels of domain A: 3 for colours, 1 for gray.", least=1)
    ] = 3
    channels_b: Annotated[int, Option("The same for domain B.", least=1)] = 3
    range_a: Annotated[str | None, Option(RANGE.format("A"))] = None
    range_b: Annotated[str | None, Option("The same for domain B.")] = None
    unit_a: Annotated[str | None, Option("Unit of A's values, such as HU, for tables.")] = None
    unit_b: Annotated[str | None, Option("The same for domain B.")] = None
    load_size: Annotated[
        Size | None,
        Option(
            "Size that images are brought to, before `image_size` is cut out. Default: 286/256 of "
            "`image_size`, and with crop the whole image.",
            least=4,
        ),
    ] = None
    resize: Annotated[
        str,
        Option(
            "Images of other sizes: stretch them, cover the size and cut off the rest, or crop "
            "windows out of them without resizing.",
            choices=("stretch", "cover", "crop"),
        ),
    ] = "stretch"
    flip: Annotated[
        str | None,
        Option(
            "How training images are mirrored, each way half of the time; rot90: quarter turns "
            "too, for what has no up. Default: horizontal; for glyphs, none.",
            choices=FLIPS,
        ),
    ] = None
    batch_size: Annotated[
        int, Option("Images of each domain in a step, on all devices together.", least=1)
    ] = 1
    validation_split: Annotated[
        float,
        Option("Part of the images that isn't trained on, without testA.", least=0, below=1),
    ] = 0.0
    group_by: Annotated[
        str | None,
        Option(
            "Regular expression: images whose names agree in its first group stay on one side of "
            "`validation_split`, such as slices of a patient. Default: each file by itself.",
        ),
    ] = None
    max_pixels: Annotated[
        int | None,
        Option("Largest image; raise it for files you trust. Default: 60 megapixels.", least=1),
    ] = None
    on_error: Annotated[
        str,
        Option(
            "Image files that can't be used: raise an error, or skip them with a warning.",
            choices=("raise", "skip"),
        ),
    ] = "raise"
