"""The options of a training run that say which images it sees."""

import dataclasses
from typing import Annotated

from keras_cyclegan.commands.option_parser import Option


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The images, how they are resized, cut and mirrored, and how many make a step."""

    data: Annotated[
        str, Option("Folder with trainA, trainB (and testA, testB); tfds:NAME; or glyphs.")
    ]
    image_size: Annotated[
        int, Option("Side of the training images in pixels, a multiple of 4.", least=4)
    ] = 256
    channels_a: Annotated[
        int, Option("Channels of domain A: 3 for colours, 1 for gray.", least=1)
    ] = 3
    channels_b: Annotated[int, Option("The same for domain B.", least=1)] = 3
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
