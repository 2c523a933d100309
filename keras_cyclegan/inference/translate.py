"""Translates any image with a trained model."""

import weakref
from typing import Any

import keras
import numpy as np

from keras_cyclegan.arguments import Direction, check_direction
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.data.decode import MAX_PIXELS
from keras_cyclegan.inference.images import Picture, open_images
from keras_cyclegan.inference.memory import memory_errors, memory_for_whole, whole_bytes
from keras_cyclegan.inference.sizes import call_at_any_size, check_size, pad_to_rule, size_rule
from keras_cyclegan.inference.tile_choice import check_tile, choose_tile, tile_side
from keras_cyclegan.inference.tiles import translate_tiled
from keras_cyclegan.processor import warn_if_too_late
from keras_cyclegan.steps.dtype_trial import warn_of_slow_dtype

BATCH_PIXELS = 2**20  # 16 images of 256×256: about 1 GB inside the paper's generator

_graphs: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_attention_networks: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_tried: weakref.WeakSet[Any] = weakref.WeakSet()


def translate(
    model: Any,
    images: Any,
    direction: str = "a_to_b",
    batch_size: int | None = None,
    tile: int | str | None = "auto",
    max_pixels: int = MAX_PIXELS,
    return_attention: bool = False,
) -> Any:
    """Translate images of any kind and size with a model.

    `CycleGAN.translate` calls it, and describes the arguments, the result and the errors.

    Args:
        model: `CycleGAN`.
        images, direction, batch_size, tile, max_pixels, return_attention: see `CycleGAN.translate`.

    Returns:
        The translations, in the kinds and sizes of `images`.

    Example:

    ```python
    translated = translate(model, ["horse.jpg", np.zeros((300, 200, 3), "uint8")], tile=128)
    translated[1].shape  # (300, 200, 3)
    ```
    """
    generator = generator_for(model, direction)
    masks = attention_network(generator) if return_attention else None
    pictures, collect = open_images(images, generator.input_shape[-1], max_pixels)
    translated = collect(_translate_all([generator], pictures, batch_size, tile))
    if masks is None:
        return translated
    # As floats, so that masks aren't rounded to pixels; the background's mask is the last.
    pictures = [Picture(to_float(pixels), lambda m: 1 - m[..., -1:]) for pixels, _ in pictures]
    return translated, collect(_translate_all([masks], pictures, batch_size, tile))


def reconstruct(
    model: Any,
    images: Any,
    direction: str = "a_to_b",
    batch_size: int | None = None,
    tile: int | str | None = "auto",
    max_pixels: int = MAX_PIXELS,
) -> Any:
    """Translate images to the other domain and back.

    `CycleGAN.reconstruct` calls it, and describes the arguments, the result and the errors.

    Args:
        model: `CycleGAN` with both generators.
        images, direction, batch_size, tile, max_pixels: see `CycleGAN.reconstruct`.

    Returns:
        The reconstructions, in the kinds and sizes of `images`.

    Example:

    ```python
    photo = np.full((1, 40, 50, 3), 100, "uint8")
    cycle_error = CycleError()
    cycle_error.update_state(photo, reconstruct(model, photo))
    ```
    """
    there = generator_for(model, direction)
    back = generator_for(model, check_direction(direction).opposite)
    pictures, collect = open_images(images, there.input_shape[-1], max_pixels)
    return collect(_translate_all([there, back], pictures, batch_size, tile))


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


def attention_network(generator):
    """Return the network of a generator's masks, `(n, h, w, k)`; the last mask keeps the image.

    Raises:
        ValueError: the generator has no masks.
    """
    if not hasattr(generator, "attention_network"):
        raise ValueError(
            f"The generator {generator.name!r} ({type(generator).__name__}) has no masks: "
            "`return_attention` is for an `AttentionGenerator`."
        )
    if generator not in _attention_networks:
        _attention_networks[generator] = generator.attention_network()
    return _attention_networks[generator]


def _translate_all(generators, pictures, batch_size, tile):
    """Translate each picture by one generator after the other, and finish it."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received batch_size={batch_size!r}.")
    check_tile(tile)
    finished, whole = [None] * len(pictures), {}
    sides = {shape: choose_tile(generators, *shape, tile) for shape in _sizes(pictures)}
    for i, (pixels, finish) in enumerate(pictures):
        side = sides[pixels.shape[:2]]
        if side is None:
            whole.setdefault(pixels.shape[:2], []).append(i)
        else:
            finished[i] = finish(_translate_in_tiles(generators, pixels, side))
    for indices in _batches(generators, whole, batch_size):
        translated = _translate_batch(generators, [pictures[i].pixels for i in indices], tile)
        for i, translation in zip(indices, translated, strict=True):
            finished[i] = pictures[i].finish(translation)
    return finished


def _sizes(pictures):
    return {picture.pixels.shape[:2] for picture in pictures}


def _batches(generators, whole, batch_size):
    """Yield indices of images of one size, in batches that fit the memory."""
    for (height, width), indices in whole.items():
        fitting = memory_for_whole() / max(1, whole_bytes(generators, height, width))
        count = batch_size or max(1, int(min(BATCH_PIXELS // (height * width), fitting)))
        for start in range(0, len(indices), count):
            yield indices[start : start + count]


def _translate_batch(generators, images, tile):
    """Translate images of one size as a whole, or in tiles if the memory wasn't enough."""
    try:
        with memory_errors(f"{len(images)} of {images[0].shape[0]}×{images[0].shape[1]} pixels"):
            batch = np.stack([to_float(pixels) for pixels in images])
            for generator in generators:
                check_size(generator, *batch.shape[1:3])
                batch = run(generator, batch)
            return batch
    except MemoryError:
        if tile != "auto":
            raise
        try:
            side = tile_side(generators)
        except ValueError:  # the network can't be cut
            side = None
        if side is None or max(images[0].shape[:2]) <= side:
            raise
    return [_translate_in_tiles(generators, pixels, side) for pixels in images]


def _translate_in_tiles(generators, pixels, tile):
    """Translate one large image; uint8 gives uint8, which takes a quarter of the memory."""
    eight_bits = pixels.dtype == np.uint8
    with memory_errors(f"{pixels.shape[0]}×{pixels.shape[1]} pixels in tiles of {tile}"):
        for generator in generators:
            _try_dtype(generator)
            check_size(generator, *pixels.shape[:2])
            rounded = eight_bits and generator is generators[-1]
            pixels = translate_tiled(generator, pixels, tile, from_unit if rounded else np.asarray)
    return pixels


def to_float(pixels):
    """Convert uint8 pixels to [-1, 1], and return floats as they are."""
    return to_unit(pixels) if pixels.dtype == np.uint8 else pixels


def run(generator, images):
    """Translate one batch of any size by a generator.

    On TensorFlow by a graph with an unknown number, height and width, so that new ones need no new
    graph; elsewhere by `predict_on_batch`, which JAX compiles for each size.

    Args:
        generator: `keras.Model`.
        images: float32 array `(n, height, width, channels)`, in [-1, 1].

    Returns:
        float32 array `(n, height, width, output_channels)`, in [-1, 1].
    """
    _try_dtype(generator)
    if keras.backend.backend() == "tensorflow":
        return _graph(generator)(images).numpy()
    height, width = images.shape[1:3]
    padded = keras.ops.convert_to_numpy(pad_to_rule(images, size_rule(generator)))
    if keras.distribution.distribution() is None:
        translated = generator.predict_on_batch(padded)
    else:  # `predict_on_batch` would split the batch between devices and processes
        translated = keras.ops.convert_to_numpy(generator(padded, training=False))
    return np.asarray(translated)[:, :height, :width]


def _try_dtype(generator):
    """Warn, once for each generator, of a dtype that is slow here."""
    if generator not in _tried:
        _tried.add(generator)
        warn_of_slow_dtype([generator], training=False)


def _graph(generator):
    """Return the generator's `tf.function`, traced once.

    It is no attribute of the generator, where Keras would save it and TensorFlow export it. It is
    traced again if layers were given new variables (quantization, LoRA).
    """
    variables = tuple(id(variable) for variable in generator.variables)
    traced, graph = _graphs.get(generator, (None, None))
    if traced != variables:
        graph = _trace(generator)
        _graphs[generator] = variables, graph
    return graph


def _trace(generator):
    import tensorflow as tf

    warn_if_too_late()
    reference = weakref.ref(generator)  # a strong one would keep the generator in `_graphs`
    signature = tf.TensorSpec((None, None, None, generator.input_shape[-1]), "float32")
    size_rule(generator)  # outside of the graph

    @tf.function(input_signature=[signature], autograph=False)
    def translate_batch(images):
        return call_at_any_size(reference(), images)

    return translate_batch
