"""The images of a run: where they are, how they are resized, cut and mirrored."""

import dataclasses
from dataclasses import MISSING

from keras_cyclegan.arguments import FLIPS
from keras_cyclegan.training.option import Size, as_size, option, sides_of

RANGE = (
    "Values of A that become black and white: LOW HIGH; auto, the 0.5 and 99.5 % quantiles over "
    "all images; auto_per_channel; or image, each image's own, which can't be undone. Default: all "
    "that 8 or 16 bits hold."
)


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The images, how they are resized, cut and mirrored, and how many make a step."""

    data: str = option(
        MISSING,
        "Folder with trainA, trainB (and testA, testB); tfds:NAME; glyphs; or the images of A.",
        argument=True,
        change="always",
    )
    data_b: str | None = option(
        None,
        "Images of B, where those of A are in a folder of any name.",
        argument=True,
        change="always",
    )
    image_size: Size = option(256, "Pixels of a side, a multiple of 4, or HEIGHTxWIDTH.", least=4)
    channels_a: int = option(3, "Channels of domain A: 3 for colours, 1 for gray.", least=1)
    channels_b: int = option(3, "The same for domain B.", least=1)
    range_a: str | None = option(None, RANGE)
    range_b: str | None = option(None, "The same for domain B.")
    unit_a: str | None = option(None, "Unit of A's values, such as HU, for tables.")
    unit_b: str | None = option(None, "The same for domain B.")
    load_size: Size | None = option(
        None,
        "Size that images are brought to, before `image_size` is cut out. Default: 286/256 of "
        "`image_size`, and with crop the whole image.",
        least=4,
    )
    resize: str = option(
        "stretch",
        "Images of other sizes: stretch them, cover the size and cut off the rest, or crop "
        "windows out of them without resizing.",
        choices=("stretch", "cover", "crop"),
    )
    flip: str | None = option(
        None,
        "How training images are mirrored, each way half of the time; rot90: quarter turns "
        "too, for what has no up. Default: horizontal; for glyphs, none.",
        choices=FLIPS,
    )
    batch_size: int = option(
        1, "Images of each domain in a step, on all devices together.", least=1
    )
    validation_split: float = option(
        0.0, "Part of the images that isn't trained on, without testA.", least=0, below=1
    )
    group_by: str | None = option(
        None,
        "Regular expression: images whose names agree in its first group stay on one side of "
        "`validation_split`, such as slices of a patient. Default: each file by itself.",
    )
    max_pixels: int | None = option(
        None,
        "Largest image; raise it for files you trust. Default: 60 megapixels.",
        least=1,
        change="always",
    )
    on_error: str = option(
        "raise",
        "Image files that can't be used: raise an error, or skip them with a warning.",
        choices=("raise", "skip"),
        change="always",
    )

    def __post_init__(self):
        """Bring values to the form in which they are recorded."""
        for name in ("image_size", "load_size"):
            object.__setattr__(self, name, as_size(getattr(self, name)))
        if isinstance(self.flip, bool):
            object.__setattr__(self, "flip", "horizontal" if self.flip else "none")
        for name in ("range_a", "range_b"):
            given = getattr(self, name)
            if isinstance(given, (tuple, list)):
                object.__setattr__(self, name, " ".join(map(str, given)))


def load_images(options):
    """Load the training dataset and the validation dataset, or None, of the options."""
    from keras_cyclegan import data
    from keras_cyclegan.steps.distribution import process_share

    given = {} if options.max_pixels is None else {"max_pixels": options.max_pixels}
    return data.load(
        options.data if options.data_b is None else (options.data, options.data_b),
        image_size=sides_of(options.image_size),
        load_size=sides_of(options.load_size),
        resize=options.resize,
        channels=(options.channels_a, options.channels_b),
        flip=options.flip,
        batch_size=options.batch_size,
        seed=options.seed,
        steps_per_epoch=options.steps_per_epoch,
        on_error=options.on_error,
        process_share=process_share(),
        validation_split=options.validation_split,
        group_by=options.group_by,
        range_a=options.range_a,
        range_b=options.range_b,
        unit_a=options.unit_a or "",
        unit_b=options.unit_b or "",
        **given,
    )
