"""Decodes the images of a source and brings them to a size, once, before training."""

import hashlib
import math
import os

import numpy as np

from keras_cyclegan.data.decode import as_kept, open_image, open_native, spread
from keras_cyclegan.data.folders import take
from keras_cyclegan.data.images import Images
from keras_cyclegan.data.pixel_limit import MAX_PIXELS
from keras_cyclegan.data.ranges import find_format
from keras_cyclegan.data.resize import resize_image
from keras_cyclegan.data.store import Stored, UnusableImagesError, store_images


class Decoder:
    """Decodes `Split`s.

    Args:
        resize, max_pixels, on_error, cache_folder, memory_limit: see `load`; `on_error` is None
            for `"raise"` without the advice to skip images.
        ranges: of both domains; see `ranges.check_range`.
        formats: `PixelFormat` of both domains that images must have, or None where they aren't
            known yet.
    """

    def __init__(
        self,
        resize="stretch",
        max_pixels=MAX_PIXELS,
        on_error=None,
        cache_folder=None,
        memory_limit=math.inf,
        ranges=(None, None),
        formats=(None, None),
    ):
        self.resize = resize
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.cache_folder = cache_folder
        self.memory_left = memory_limit
        self.ranges = ranges
        self.formats = formats

    def decode(self, splits, sizes, channels, image_size):
        """Decode the splits of both domains, of A, of B, of A, of B.

        Args:
            splits: list of `Split`, or None where there is none.
            sizes: list of `(height, width)`, one for each split, or None to keep whole images.
            channels: `(channels_a, channels_b)`.
            image_size: `(height, width)` that is cut from them. Images that are drawn have this
                size, and white makes them as large as `sizes`.

        Returns:
            List of `Stored`, None where there is no split.

        Raises:
            UnusableImagesError: images are bad; the message has those of all splits.
        """
        found, refused = [], []
        for i, (split, size) in enumerate(zip(splits, sizes, strict=True)):
            try:
                found.append(split and self._store(split, size, channels[i % 2], i % 2, image_size))
            except UnusableImagesError as error:
                refused.append(str(error))
        self._refuse(refused)
        return found

    def companions(self, splits, stored, size, image_size, formats):
        """Decode what rides along with training images, or with those of validation.

        Args:
            splits: dict from names to `Split`; see `sources.Splits`.
            stored: `Stored` of the images of A and of B.
            size: `(height, width)`, or None to keep whole images.
            image_size: `(height, width)` that is cut from them.
            formats: `PixelFormat` of A and of B.

        Returns:
            dict from names to `Images`.
        """
        found, refused = {}, []
        for name, split in splits.items():
            index = "ab".index(name[-1])
            is_mask = name.startswith("mask")
            if is_mask and len(kept := stored[index].kept) < split.count:
                split = take(split, kept)
            channels = 1 if is_mask else formats[index].channels
            try:
                found[name] = self._store(
                    split, size, channels, index, image_size, is_mask, "raise"
                ).images
            except UnusableImagesError as error:
                refused.append(str(error))
        self._refuse(refused)
        return found

    def _refuse(self, refused):
        if refused:
            skips = self.on_error == "raise"
            skip = ', or leave them out with `on_error="skip"`' if skips else ""
            raise UnusableImagesError("\n".join([*refused, f"Repair or remove them{skip}."]))

    def _store(self, split, size, channels, domain, image_size, is_mask=False, on_error=None):
        if split.draw:
            return _drawn(split, size, channels, image_size)
        given, pixels = (None, None) if is_mask else (self.ranges[domain], self.formats[domain])

        def decode(source):
            if isinstance(source, np.ndarray):
                image = as_kept(source, pixels, "It")
            elif pixels:
                image = open_image(source, channels, self.max_pixels, pixels).pixels
            else:
                image = open_native(source, channels, self.max_pixels).pixels
            if is_mask and image.dtype != np.uint8:
                raise ValueError(f"{source} is a mask of {image.dtype}; expected 8 bits.")
            if given == "image":
                image = spread(image, find_format("", "", image.dtype.name, channels, None, given))
            if size is None:
                resize_image(image, image_size, "crop")  # raises for what is too small
                return image, image
            return image, resize_image(image, size, self.resize, is_mask)

        least = split.count * math.prod(size) * channels if size else math.inf
        recipe = f"{size} {channels} {self.resize} {given == 'image'} {is_mask}"
        stored = store_images(
            split,
            decode,
            on_error or self.on_error,  # of what rides along, none can be left out
            lambda: self._disk(split, recipe),
            self.memory_left,
            least if math.isfinite(least) else split.count,
            measured=given is not None,
        )
        if not isinstance(stored.images.values, np.memmap):
            self.memory_left -= stored.images.values.nbytes
        return stored

    def _disk(self, split, recipe):
        """Return the path, without suffix, of the files that hold a split on disk."""
        from keras_cyclegan.files import download  # it imports much that data rarely needs

        folder = self.cache_folder or download.cache_folder() / "images"
        content = f"{split.key}\n{recipe}".encode("utf-8", "surrogateescape")
        return os.path.join(folder, hashlib.sha256(content).hexdigest()[:32])


def _drawn(split, size, channels, image_size):
    array = split.draw(image_size, channels)
    rows, columns = (n - m for n, m in zip(size, image_size, strict=True))
    border = [(0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
    return Stored(Images(np.pad(array, border, constant_values=255)), list(range(split.count)))
