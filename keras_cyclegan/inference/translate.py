"""Translates images of any kind and size: the methods of `CycleGAN` for it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keras_cyclegan.arguments import Direction, check_choice, check_direction
from keras_cyclegan.data.decode import MAX_PIXELS
from keras_cyclegan.data.pixels import formats_of
from keras_cyclegan.inference.doubt import Judges, calibrate, check_calibration, doubt_of
from keras_cyclegan.inference.images import Picture, open_images, to_float
from keras_cyclegan.inference.pictures import translate_all
from keras_cyclegan.inference.runner import runner
from keras_cyclegan.inference.tiles import freeze
from keras_cyclegan.inference.working_size import check_working_size


class InferenceMixin:
    """Translating, for `CycleGAN`.

    Attributes:
        scale, working_size: see `set_scale`. Both are None at first.
        doubt: dict from directions to what `calibrate_doubt` found. Empty at first.
    """

    scale: str | None = None
    working_size: int | None = None
    doubt: Mapping[str, Any] = MappingProxyType({})

    def translate(
        self,
        images: Any,
        direction: str = "a_to_b",
        batch_size: int | None = None,
        tile: int | str | None = "auto",
        max_pixels: int = MAX_PIXELS,
        working_size: int | str | None = "auto",
        return_doubt: bool = False,
    ) -> Any:
        """Translate images of any kind and size from one domain to the other.

        Sizes that the generator doesn't take are padded by reflection, and translations cropped. A
        photo larger than those that the network knows is translated at their size, and the change,
        before tanh, is brought to all of its pixels, along its edges. (Where images and
        translations differ in channels, the translation is enlarged.) A large image is translated
        in tiles, by way of temporary files, with instance norms that see the whole image: the same
        result, apart from rounding by at most one of 255 levels.

        Args:
            images: one of
                - a path, the bytes of a file or a binary file, of a kind that training reads;
                - a `PIL.Image.Image`;
                - an array or tensor `(height, width, channels)`, or `(height, width)` for gray, of
                  uint8 or of floats in [-1, 1]; of a model of 16 bits or of floats, in its units;
                - a batch `(n, height, width, channels)` of these;
                - a list of any of these except batches; kinds and sizes may differ.
                For an RGB generator, gray becomes three equal channels. The alpha channel of RGBA
                is copied to the translation; the generator sees the image composited on white.
            direction: `"a_to_b"` or `"b_to_a"`.
            batch_size: images of one size that are translated at once. None takes as many as have
                2²⁰ pixels together and fit the memory.
            tile: `"auto"` cuts tiles where the whole image would take more than 2 GiB or half of
                the available memory; an int is the side of the tiles, for each image that is higher
                or wider; None never cuts.
            max_pixels: largest height times width of a file.
            working_size: short side in pixels at which photos are translated that are more than
                1.25 times as large. `"auto"` takes the model's `working_size`, which presets of
                whole photos have; None translates at the images' own size.
            return_doubt: whether to return as well how far each translation is to be doubted; for a
                model whose doubt was calibrated, see `calibrate_doubt`.

        Returns:
            The translations, upright, in the same form and size as the images: a PIL image for a
            PIL image, an array of the same dtype for an array or tensor, uint8 for a file (or what
            the model's `PixelFormat` says), a batch for a batch, a list for a list. With
            `return_doubt`, a pair: these, and a `Doubt` of each image, its `map` `(height, width,
            1)` from 0 to 1 and whether the image is `unlike` those that the model knows; a list, of
            several.

        Raises:
            MemoryError: too little memory for tiles, or where `tile` is None for the image.
            TypeError, ValueError: what isn't an image of the model's channels and range, or has too
                many pixels (`TooManyPixelsError`); all before the first image is translated.
        """
        generator = generator_for(self, direction)
        size = chosen_size(self, working_size)
        formats = formats_of(self, Direction(direction))
        pictures, collect = open_images(images, formats, max_pixels)
        if return_doubt and direction not in self.doubt:
            raise ValueError(
                f"This model's doubt isn't calibrated for '{direction}'. Call "
                "`model.calibrate_doubt(images)` with images that it wasn't trained on."
            )
        translated = collect(translate_all(generator, pictures, batch_size, tile, size))
        if not return_doubt:
            return translated
        options = self.doubt[direction], tile, size
        doubts = [doubt_of(_judges(self, direction), picture, *options) for picture in pictures]
        several = isinstance(images, (list, tuple)) or getattr(images, "ndim", 3) == 4
        return translated, doubts if several else doubts[0]

    def reconstruct(
        self,
        images: Any,
        direction: str = "a_to_b",
        batch_size: int | None = None,
        tile: int | str | None = "auto",
        max_pixels: int = MAX_PIXELS,
        working_size: int | str | None = "auto",
    ) -> Any:
        """Translate images to the other domain and back: `ba(ab(a))` for `direction="a_to_b"`.

        Cycle consistency (Zhu et al. 2017, section 3.2) asks for a result close to the image. The
        translation in between isn't rounded to pixels.

        Args:
            images, batch_size, tile, max_pixels, working_size: see `translate`, also for errors.
            direction: the first of the two.
        """
        there = generator_for(self, direction)
        back = generator_for(self, Direction(direction).opposite)
        options = batch_size, tile, chosen_size(self, working_size)
        given, _ = formats_of(self, Direction(direction))
        pictures, collect = open_images(images, (given, given), max_pixels)
        floats = [Picture(to_float(pixels), lambda unit: unit) for pixels, _ in pictures]
        between = zip(translate_all(there, floats, *options), pictures, strict=True)
        between = [Picture(unit, picture.finish) for unit, picture in between]
        return collect(translate_all(back, between, *options))

    def freeze_statistics(self, images: Any, direction: str = "a_to_b") -> Any:
        """Return a model whose norms keep the statistics of sample images: parts give the whole.

        The statistics of samples, all together, become weights of instance norms. Then an image is
        translated in one pass over any tiles, and what `export` writes may be given parts too, each
        with a margin as wide as the network sees.

        Args:
            images: the samples, as in `translate`: some sixteen parts of 256×256 with tissue, of a
                slide. `benchmarks/slide_samples.py` measures how many yours needs.
            direction: see `translate`.

        Returns:
            A model of the same class with this direction only. It can be saved in every way.

        Raises:
            ValueError: the generator has no instance norm, or a layer that looks at the whole image
                in another way.
        """
        generator, direction = generator_for(self, direction), Direction(direction)
        pictures, _ = open_images(images, formats_of(self, direction), MAX_PIXELS)
        generator = freeze(runner(generator), [picture.pixels for picture in pictures])
        both = (generator, None) if direction is Direction.A_TO_B else (None, generator)
        given = {name: getattr(self, name) for name in ("image_shape", "pixels_a", "pixels_b")}
        model: Any = type(self)
        model = model(*both, None, None, **given)
        model.set_scale(self.scale, self.working_size)
        return model

    def calibrate_doubt(self, images: Any, direction: str = "a_to_b") -> None:
        """Let `translate` say how far a translation is to be doubted, and where.

        What speaks against a pixel's translation is the error of its round trip (Zhu et al. 2017,
        section 3.2) and the discriminator's logit, each averaged over a sixteenth of the short
        side. Alone neither has a meaning; here they become shares of what they are on these images.
        The calibration is saved with the model and in presets.

        Args:
            images: images to translate that weren't trained on, as in `translate`: a list or a
                batch of 4 or more. Some 50 are enough.
            direction: see `translate`.

        Raises:
            ValueError: there are too few images, or the model has neither a way back nor a
                discriminator.
        """
        direction = check_direction(direction)
        pictures, _ = open_images(images, formats_of(self, direction), MAX_PIXELS)
        calibration = calibrate(_judges(self, direction), pictures, "auto", self.working_size)
        self.doubt = {**self.doubt, str(direction): calibration}

    def set_doubt(self, doubt: Mapping[str, Any] | None) -> None:
        """Take a calibration of `calibrate_doubt`, as it stands in a file; None for none."""
        self.doubt = check_calibration(doubt or {})

    def set_scale(self, scale: str | None, working_size: int | None = None) -> None:
        """Say at which scale the model was trained, for `translate` and for its presets.

        Args:
            scale: `"whole"` for whole photos, `"detail"` for parts of images at their own
                resolution, None if that isn't known.
            working_size: int of at least 4, with `"whole"`: the short side of those photos.
        """
        check_choice("scale", scale, (None, "whole", "detail"))
        check_working_size(working_size)
        if (scale == "whole") != isinstance(working_size, int):
            raise ValueError(
                "Whole photos have a working size, an int of pixels; nothing else has. Received "
                f"scale={scale!r}, working_size={working_size!r}."
            )
        self.scale, self.working_size = scale, working_size


def generator_for(model, direction):
    """Return the model's generator of a direction, or its average where there is one."""
    direction = check_direction(direction)
    generator = generators_of(model).get(direction)
    if generator is None:
        raise ValueError(
            f"This model only translates '{direction.opposite}': it has no generator for "
            f"'{direction}'."
        )
    return generator


def generators_of(model):
    """Return the generators that a model has, or their averages, by `Direction`."""
    both = zip(Direction, model.generators(), strict=True)
    return {direction: generator for direction, generator in both if generator is not None}


def _judges(model, direction):
    direction = check_direction(direction)
    back = generators_of(model).get(direction.opposite)
    discriminator = getattr(model, f"discriminator_{direction.target}")
    return Judges(generator_for(model, direction), back, discriminator)


def chosen_size(model, working_size):
    """Return the working size that an argument means: None, or an int."""
    check_working_size(working_size)
    return model.working_size if working_size == "auto" else working_size
