"""Decodes the images of a source and brings them to a size, once, before training."""

import dataclasses
import hashlib
import math
import os
from typing import Any

import numpy as np

from keras_cyclegan.data.decode import as_kept, open_image, open_native, spread
from keras_cyclegan.data.images import Images
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.ranges import find_format, measure
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.data.store import Stored, UnusableImagesError, store_images


@dataclasses.dataclass
class Decoder:
    """Decodes `Split`s; most attributes are as in `load`.

    Attributes:
        image_size: `(height, width)` that is cut out. Glyphs have it, and a border around it.
        ranges: of both domains; see `ranges.check_range`.
        formats: `PixelFormat`s that images must have, or None where they aren't known yet.
    """

    channels: tuple[int, int]
    image_size: tuple[int, int]
    resize: str = "stretch"
    max_pixels: int = MAX_PIXELS
    on_error: str | None = None
    cache_folder: Any = None
    memory_left: float = math.inf
    ranges: tuple[Any, Any] = (None, None)
    formats: tuple[Any, Any] = (None, None)

    def decode(self, wanted, on_error=None):
        """Decode several `Split`s; an `UnusableImagesError` has the bad images of all.

        `wanted` are tuples of a name that ends in the domain, such as `"train_a"` or `"mask_b"`,
        its `Split` or None, and `(height, width)`, or None to keep whole images. Returns a dict
        from the names to `Stored`.
        """
        found, refused = {}, []
        for name, split, size in wanted:
            try:
                if split:
                    found[name] = self._store(name, split, size, on_error or self.on_error)
            except UnusableImagesError as error:
                refused.append(str(error))
        if refused:
            skips = self.on_error == "raise"
            skip = ', or leave them out with `on_error="skip"`' if skips else ""
            raise UnusableImagesError("\n".join([*refused, f"Repair or remove them{skip}."]))
        return found

    def _store(self, name, split, size, on_error):
        domain, is_mask = "ab".index(name[-1]), name.startswith("mask")
        channels = 1 if is_mask else self.channels[domain]
        if split.draw:
            return _drawn(split, size, channels, self.image_size)
        given, pixels = (None, None) if is_mask else (self.ranges[domain], self.formats[domain])

        def decode(number, source):
            if isinstance(source, np.ndarray):
                image = as_kept(source, pixels, "It")
            elif pixels:
                image = open_image(source, channels, self.max_pixels, pixels).pixels
            else:
                image = open_native(source, channels, self.max_pixels)
            if is_mask and image.dtype != np.uint8:
                raise ValueError(f"{source} is a mask of {image.dtype}; expected 8 bits.")
            if given == "image":
                image = spread(image, find_format("", "", image.dtype.name, channels, None, given))
            measured = given is not None or image.dtype != np.uint8
            statistics = measure(image, number, split.count) if measured else None
            if size is None:
                resize_image(image, self.image_size, "crop")  # raises for what is too small
                return image, statistics
            return resize_image(image, size, self.resize, is_mask), statistics

        recipe = f"{self.resize} {size} {channels} {given == 'image'} {is_mask}"
        least_bytes = split.count * (math.prod(size) * channels if size else 1)
        disk = self._disk(split, recipe)
        stored = store_images(split, decode, on_error, disk, self.memory_left, least_bytes)
        if not isinstance(stored.images.values, np.memmap):
            self.memory_left -= stored.images.values.nbytes
        return stored

    def _disk(self, split, recipe):
        from keras_cyclegan.files import download  # it imports much that data rarely needs

        folder = self.cache_folder or download.cache_folder() / "images"
        content = f"{split.key}\n{recipe}".encode("utf-8", "surrogateescape")
        return os.path.join(folder, hashlib.sha256(content).hexdigest()[:32])


def _drawn(split, size, channels, image_size):
    array = split.draw(image_size, channels)
    rows, columns = (n - m for n, m in zip(size, image_size, strict=True))
    border = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
    return Stored(Images(np.pad(array, border, constant_values=255)), list(range(split.count)))
