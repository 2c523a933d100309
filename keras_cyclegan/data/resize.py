"""Brings images to a size."""

import numpy as np
from numpy.typing import NDArray

from keras_cyclegan.arguments import check_choice

RESIZES = ("stretch", "cover", "crop")


def resize_image(
    image: NDArray, size: tuple[int, int], resize: str = "stretch", is_mask: bool = False
) -> NDArray:
    """Bring an image to a size, by bicubic interpolation with antialiasing.

    Args:
        image: array of uint8, uint16, int16 or float32, `(height, width, channels)`.
        size: `(height, width)`.
        resize: `"stretch"`, `"cover"` (scales until the image covers the size, then cuts the centre
            out) or `"crop"` (cuts the centre out; a ValueError says that the image is smaller).
        is_mask: bool. Whether to take the nearest pixel, so that no new values arise.
    """
    from PIL import Image, ImageOps

    check_choice("resize", resize, RESIZES)
    height, width = size
    if resize == "crop":
        top, left = image.shape[0] - height, image.shape[1] - width
        if top < 0 or left < 0:
            raise ValueError(
                f"The image is {image.shape[0]}×{image.shape[1]}, too small to cut "
                f'{height}×{width} out of it; `resize="cover"` enlarges.'
            )
        return image[top // 2 : top // 2 + height, left // 2 : left // 2 + width]
    method = Image.Resampling.NEAREST if is_mask else Image.Resampling.BICUBIC
    fit = Image.Image.resize if resize == "stretch" else ImageOps.fit

    def resized(pixels):
        return np.asarray(fit(Image.fromarray(pixels), (width, height), method))

    if image.dtype == np.uint8 and image.shape[2] == 3:
        return resized(image)
    dtype = "uint8" if image.dtype == np.uint8 else "float32"
    bands = [resized(band.astype(dtype)) for band in np.moveaxis(image, 2, 0)]
    bands = np.stack(bands, axis=-1)
    if image.dtype.kind in "ui":
        ends = np.iinfo(image.dtype)
        bands = np.clip(np.rint(bands), ends.min, ends.max)
    return bands.astype(image.dtype)
