"""Translate any image with a trained model."""

import weakref

import keras
import numpy as np

from keras_cyclegan.arguments import Direction, check_direction
from keras_cyclegan.data import from_unit, to_unit
from keras_cyclegan.data.decode import MAX_PIXELS
from keras_cyclegan.inference.images import open_images
from keras_cyclegan.inference.sizes import call_at_any_size, check_size, pad_to_rule, size_rule
from keras_cyclegan.inference.tiles import translate_tiled

BATCH_PIXELS = 2**20  # 16 images of 256×256: about 1 GB inside the paper's generator

_graphs = weakref.WeakKeyDictionary()


def translate(model, images, direction="a_to_b", batch_size=None, tile=None, max_pixels=MAX_PIXELS):
    """Translates images of any kind and size from one domain to the other.

    A size that the generator doesn't take (a ResNet wants multiples of 4) is reflected out and
    cropped back: nothing is resized. On TensorFlow, one graph serves every size. `model.predict`
    stays Keras's: batches of floats in, floats out.

    Args:
        model: `CycleGAN`.
        images: one of
            - a path of a JPEG, PNG, WebP, BMP or TIFF file, its bytes, or a binary file, read as
              training reads it: see `data.decode_image`;
            - a `PIL.Image.Image`;
            - an array or tensor `(height, width, channels)`, or `(height, width)` for gray, of
              uint8 or of floats in [-1, 1];
            - a batch `(n, height, width, channels)` of these;
            - a list of any of these but batches, of different kinds and sizes.
            Gray becomes the three equal channels of an RGB generator. The alpha channel of RGBA
            (files, PIL images, uint8 arrays) is carried over to the translation; what the
            generator sees is composited on white, as in training.
        direction: `"a_to_b"` or `"b_to_a"`.
        batch_size: int. Images of one size that are translated at once. None takes as many as hold
            2²⁰ pixels, at least one.
        tile: int. Images higher or wider than this are translated in tiles of this side, with the
            instance norms' statistics of the whole image: the result is the same. It bounds the
            memory, takes about as long again, and temporary files: see
            `inference.tiles.translate_tiled`. None never tiles.
        max_pixels: int. Largest file, height times width, that is decoded; raise it for a large
            file that you trust.

    Returns:
        The translations, as the images were given: a PIL image for a PIL image, an array of the
        same dtype for an array or tensor, uint8 `(height, width, channels)` for a file; a batch
        for a batch, a list for a list; each of its image's height and width, upright where EXIF
        says so.

    Raises:
        FileNotFoundError: a path names no file.
        TypeError: something that is no image.
        TooManyPixelsError: a file of more than `max_pixels`. It is a `ValueError`.
        ValueError: an unreadable or empty image, a wrong channel count, NaN, floats
            outside [-1, 1], an unknown direction, or one that the model has no generator for. All
            of these come before the first image is translated.

    Example:

    ```python
    model = keras_cyclegan.CycleGAN.from_preset("horse2zebra")
    zebra = model.translate("horse.jpg")  # uint8, as large as the photo
    horses = model.translate([zebra, PIL.Image.open("b.png")], direction="b_to_a")
    ```
    """
    generator = generator_for(model, direction)
    return _through([generator], images, batch_size, tile, max_pixels)


def reconstruct(
    model, images, direction="a_to_b", batch_size=None, tile=None, max_pixels=MAX_PIXELS
):
    """Sends images to the other domain and back: `ba(ab(a))` for `direction="a_to_b"`.

    The closer the result is to the image, the more of it the translation kept: what the cycle
    consistency loss measures. Between the two generators nothing is rounded to pixels.

    Args:
        model: `CycleGAN` with both generators.
        images, batch_size, tile, max_pixels: see `translate`.
        direction: the first of the two translations: `"a_to_b"` for images of domain A.

    Returns:
        The reconstructions, in the kinds and sizes of `images`.
    """
    there = generator_for(model, direction)
    back = generator_for(model, check_direction(direction).opposite)
    return _through([there, back], images, batch_size, tile, max_pixels)


def generator_for(model, direction):
    """Return the model's generator of a direction; its average, where there is one."""
    direction = check_direction(direction)
    generator = generators_of(model).get(direction)
    if generator is None:
        raise ValueError(
            f"This model translates one way, '{direction.opposite}': it has no generator for "
            f"'{direction}'."
        )
    return generator


def generators_of(model):
    """Return the generators that a model has, or their averages, by `Direction`."""
    both = zip(Direction, model.generators(), strict=True)
    return {direction: generator for direction, generator in both if generator is not None}


def _through(generators, images, batch_size, tile, max_pixels):
    """`images` through one generator after the other."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received batch_size={batch_size!r}.")
    pictures, collect = open_images(images, generators[0].input_shape[-1], max_pixels)
    finished = [None] * len(pictures)
    tiled = [
        i
        for i, picture in enumerate(pictures)
        if tile is not None and max(picture.pixels.shape[:2]) > tile
    ]
    for i in tiled:
        finished[i] = pictures[i].finish(_in_tiles(generators, pictures[i].pixels, tile))
    shapes = {i: picture.pixels.shape for i, picture in enumerate(pictures) if i not in set(tiled)}
    for indices in _batches(shapes, batch_size):
        batch = np.stack([to_float(pictures[i].pixels) for i in indices])
        for generator in generators:
            check_size(generator, *batch.shape[1:3])
            batch = run(generator, batch)
        for i, translation in zip(indices, batch, strict=True):
            finished[i] = pictures[i].finish(translation)
    return collect(finished)


def to_float(pixels):
    """uint8 pixels to [-1, 1]; floats are there already."""
    return to_unit(pixels) if pixels.dtype == np.uint8 else pixels


def run(generator, images):
    """One batch of any size through a generator.

    On TensorFlow through one graph with unknown batch, height and width, so that a new size costs
    no new compilation; elsewhere through `predict_on_batch`, which JAX compiles anew for each size.

    Args:
        generator: `keras.Model`.
        images: float32 array `(n, height, width, channels)`, in [-1, 1].

    Returns:
        float32 array `(n, height, width, output_channels)`, in [-1, 1].
    """
    if keras.backend.backend() == "tensorflow":
        return _graph(generator)(images).numpy()
    height, width = images.shape[1:3]
    padded = keras.ops.convert_to_numpy(pad_to_rule(images, size_rule(generator)))
    if keras.distribution.distribution() is None:
        translated = generator.predict_on_batch(padded)
    else:  # which would give each device a part of the batch, and this process its own part
        translated = keras.ops.convert_to_numpy(generator(padded, training=False))
    return np.asarray(translated)[:, :height, :width]


def _graph(generator):
    """The generator's `tf.function`, traced once.

    It lives beside the generator and not on it, where Keras would save it and TensorFlow export
    it. Layers that were given new variables since (quantization, LoRA) need a new one.
    """
    variables = tuple(id(variable) for variable in generator.variables)
    traced, graph = _graphs.get(generator, (None, None))
    if traced != variables:
        graph = _trace(generator)
        _graphs[generator] = variables, graph
    return graph


def _trace(generator):
    import tensorflow as tf

    size_rule(generator)  # outside of the graph
    reference = weakref.ref(generator)  # a strong one would keep the dictionary's key alive
    signature = tf.TensorSpec((None, None, None, generator.input_shape[-1]), "float32")

    @tf.function(input_signature=[signature], autograph=False)
    def translate_batch(images):
        return call_at_any_size(reference(), images)

    return translate_batch


def _in_tiles(generators, pixels, tile):
    """One large image through the generators; uint8 ends as uint8, a quarter of the memory."""
    eight_bits = pixels.dtype == np.uint8
    for generator in generators:
        check_size(generator, *pixels.shape[:2])
        rounded = eight_bits and generator is generators[-1]
        pixels = translate_tiled(generator, pixels, tile, from_unit if rounded else np.asarray)
    return pixels


def _batches(shapes, batch_size):
    """Indices of images of one size, in batches of bounded memory."""
    by_size = {}
    for i, shape in shapes.items():
        by_size.setdefault(shape, []).append(i)
    for (height, width, _), indices in by_size.items():
        count = batch_size or max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(indices), count):
            yield indices[start : start + count]
