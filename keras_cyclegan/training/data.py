"""The images of a run: where they are, how they are resized, cut and mirrored."""

import dataclasses
from typing import Literal

from keras_cyclegan.arguments import FLIPS
from keras_cyclegan.training.option import Size, as_size, option, sides_of

FOLDER = "Folder with trainA, trainB (and testA, testB); tfds:NAME; glyphs; or the images of A."
RANGE = (
    "Values of A that become black and white: LOW HIGH, or LOW,LOW,… HIGH,HIGH,… of each channel; "
    "auto, the 0.5 and 99.5 % quantiles over all images; auto_per_channel; or image, each image's "
    "own, which can't be undone. Default: all that 8 or 16 bits hold."
)
FLIP = "How training images are mirrored; rot90 also turns. Default: horizontal; for glyphs, none."
GROUP = "Regular expression: names with one first group stay on one side of `validation_split`."


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The images, how they are resized, cut and mirrored, and how many make a step."""

    data: str = option(FOLDER, dataclasses.MISSING, argument=True, change="always")
    data_b: str | None = option("The images of B.", argument=True, change="always")
    image_size: Size = option("Pixels of a side, a multiple of 4, or HEIGHTxWIDTH.", 256, least=4)
    channels_a: int = option("Channels of domain A: 3 for colours, 1 for gray.", 3, least=1)
    channels_b: int = option("The same for domain B.", 3, least=1)
    range_a: str | None = option(RANGE)
    range_b: str | None = option("The same for domain B.")
    unit_a: str | None = option("Unit of A's values, such as HU, for tables.")
    unit_b: str | None = option("The same for domain B.")
    load_size: Size | None = option("Side before crops. Default: 286/256 of `image_size`.", least=4)
    resize: Literal["stretch", "cover", "crop"] = option("What other sizes need.", "stretch")
    flip: Literal[FLIPS] | None = option(FLIP)
    batch_size: int = option("Images of each domain in a step, on all devices.", 1, least=1)
    validation_split: float = option("Part that isn't trained on.", 0.0, least=0, below=1)
    group_by: str | None = option(GROUP)
    max_pixels: int | None = option("Largest image. Default: 61 million.", least=1, change="always")
    on_error: Literal["raise", "skip"] = option("Of unusable images.", "raise", change="always")

    def bring_to_form(self):
        """Bring values to the form in which they are recorded."""
        formed = {"image_size": as_size(self.image_size), "load_size": as_size(self.load_size)}
        for name in ("range_a", "range_b"):
            if isinstance(given := getattr(self, name), (tuple, list)):
                ends = (end if isinstance(end, (tuple, list)) else [end] for end in given)
                formed[name] = " ".join(",".join(map(str, end)) for end in ends)
        for name, value in formed.items():
            object.__setattr__(self, name, value)


def load_images(options):
    """Load the training dataset and the validation dataset, or None, of the options."""
    from keras_cyclegan import data
    from keras_cyclegan.steps.distribution import process_share

    same = ("resize", "flip", "batch_size", "seed", "steps_per_epoch", "on_error")
    same += ("validation_split", "group_by", "range_a", "range_b")
    return data.load(
        options.data if options.data_b is None else (options.data, options.data_b),
        image_size=sides_of(options.image_size),
        load_size=sides_of(options.load_size),
        channels=(options.channels_a, options.channels_b),
        process_share=process_share(),
        unit_a=options.unit_a or "",
        unit_b=options.unit_b or "",
        **{name: getattr(options, name) for name in same},
        **({} if options.max_pixels is None else {"max_pixels": options.max_pixels}),
    )
