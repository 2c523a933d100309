"""What the numbers of images mean: the only conversion to the networks' range, and back."""

import dataclasses
import sys
from typing import Any

import keras
import numpy as np

DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclasses.dataclass(frozen=True)
class PixelFormat:
    """What the numbers of a domain's images mean: their type, range and unit.

    Attributes:
        dtype: `"uint8"`, `"uint16"`, `"int16"` or `"float32"`, as images are kept.
        channels: int.
        low, high: the values that become -1 and 1: floats, or tuples with one for each channel.
            What lies beyond is clipped.
        unit: str for tables and pictures, such as `"HU"`.
        per_image: bool. Whether each image's own values were spread over the range for good.
    """

    dtype: str = "uint8"
    channels: int = 3
    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 255.0
    unit: str = ""
    per_image: bool = False

    def __post_init__(self):
        for name in ("low", "high"):
            ends = np.ravel(np.asarray(getattr(self, name), "float64")).tolist()
            object.__setattr__(self, name, tuple(ends) if len(set(ends)) > 1 else ends[0])
            if len(ends) not in (1, self.channels) or not np.isfinite(ends).all():
                raise ValueError(
                    f"`{name}` is a number or {self.channels}, one a channel. Received {ends}."
                )
        if self.dtype not in DTYPES:
            raise ValueError(f"Pixels are kept as {', '.join(DTYPES)}. Received {self.dtype!r}.")
        if not np.all(self.span > 0):
            raise ValueError(f"A range is LOW < HIGH. Received {self.low} and {self.high}.")

    @property
    def span(self):
        return np.subtract(self.high, self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value that the dtype holds."""
        if self.dtype == "float32":
            return -np.inf, np.inf
        return float(np.iinfo(self.dtype).min), float(np.iinfo(self.dtype).max)

    def to_unit(self, images: Any) -> Any:
        """Scale pixels to [-1, 1]: numpy arrays and tensors `(…, channels)`."""
        cast, clip, _, number = _operations(images)
        images = cast(images, "float32")
        if np.any(self.low):
            images = images - number(self.low)
        images = images / number(self.span / 2) - 1.0
        lowest, highest = self.ends
        clips = np.any(np.less(lowest, self.low)) or np.any(np.greater(highest, self.high))
        return clip(images, -1.0, 1.0) if clips else images

    def from_unit(self, images: Any) -> Any:
        """Scale from [-1, 1] back to pixels in their dtype, rounded and clipped to the range."""
        cast, clip, round_, number = _operations(images)
        pixels = (cast(images, "float32") + 1.0) * number(self.span / 2)
        if np.any(self.low):
            pixels = pixels + number(self.low)
        low, high = (number(np.clip(end, *self.ends)) for end in (self.low, self.high))
        pixels = clip(pixels if self.dtype == "float32" else round_(pixels), low, high)
        return cast(pixels, self.dtype)

    def get_config(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def __str__(self):
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.dtype}, {self.channels} channels, {self.low} to {self.high}{unit}"


EIGHT_BITS = PixelFormat()


def as_format(given: Any, channels: int) -> PixelFormat:
    """Return a `PixelFormat` of one, of its config, or of None: 8 bits."""
    if given is None:
        return PixelFormat(channels=channels)
    found = PixelFormat(**given) if isinstance(given, dict) else given
    if not isinstance(found, PixelFormat) or found.channels != channels:
        raise ValueError(f"Expected a `PixelFormat` of {channels} channels. Received {given!r}.")
    return found


def format_config(model):
    """Return the formats that a model was given, for its config; 8 bits are left out."""
    found = {f"pixels_{domain}": getattr(model, f"pixels_{domain}") for domain in "ab"}
    return {n: f.get_config() for n, f in found.items() if f and f != as_format(None, f.channels)}


def adopt_formats(model, dataset):
    """Give a model the formats of the data that it trains on; other ones are a ValueError."""
    for name in ("pixels_a", "pixels_b"):
        of_data, of_model = getattr(dataset, name, None), getattr(model, name, None)
        if of_data is None or of_data == of_model:
            continue
        if of_model is not None:
            raise ValueError(
                f"The model's `{name}` is {of_model}; the data's is {of_data}. Give its range."
            )
        setattr(model, name, of_data)


def formats_of(model, direction):
    """Return the `PixelFormat`s of a direction's images and of their translations."""
    domains = zip("ab", model.channels, strict=True)
    formats = [as_format(getattr(model, f"pixels_{name}"), count) for name, count in domains]
    return tuple(formats if direction.source == "a" else formats[::-1])


def to_unit(images: Any) -> Any:
    """Scale uint8 `images`, an array or a tensor, from 0 … 255 to float32 in [-1, 1]."""
    return EIGHT_BITS.to_unit(images)


def from_unit(images: Any) -> Any:
    """Scale `images` from [-1, 1] back to uint8, rounded and clipped; the inverse of `to_unit`."""
    return EIGHT_BITS.from_unit(images)


def as_pictures(images, channels=None):
    """Return numpy images in [-1, 1] of any channels as uint8 of one or three, to look at.

    `channels` are the ones that are shown; None: the first three, or the first of fewer.
    """
    count = images.shape[-1]
    if channels is None:
        channels = range(3) if count >= 3 else (0,)
    return from_unit(images[..., [min(channel, count - 1) for channel in channels]])


def unit_to_pixels(images):
    """Scale from [-1, 1] to floats in 0 … 255, unrounded, which `keras.applications` take."""
    return (images + 1.0) * 127.5


def check_unit(images):
    """Raise a ValueError for a float numpy array that isn't in [-1, 1]."""
    if not np.isfinite(images).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(images))[0])
        raise ValueError(f"The image holds NaN or infinity, first at index {first}.")
    if images.size and np.abs(images).max() > 1.0001:  # leaves room for rounding
        raise ValueError(
            "Floats must be in [-1, 1], the range of `keras_cyclegan.data.to_unit`. Received "
            f"values from {images.min():.6g} to {images.max():.6g}; pixels of 0 … 255 are uint8."
        )


def seems_zero_to_one(*images):
    """Return whether all values lie in [0, 1], the range of many other models."""
    return all(0 <= image.min() < image.max() <= 1 for image in images)


def _operations(images):
    """Return cast, clip, round and constants for numpy arrays, or for tensors of any backend."""

    def number(value, convert=lambda array: array):
        array = np.asarray(value, "float32")
        return convert(array) if array.ndim else float(array)

    if isinstance(images, np.ndarray):
        return np.ndarray.astype, np.clip, np.rint, number
    if "tensorflow" in sys.modules and sys.modules["tensorflow"].is_tensor(images):
        # In tf.data a tensor is TensorFlow's, whichever backend Keras trains with.
        import tensorflow as tf

        return tf.cast, tf.clip_by_value, tf.round, number
    ops = keras.ops
    return ops.cast, ops.clip, ops.round, lambda value: number(value, ops.convert_to_tensor)
