"""Translates files: a folder of images to a folder of translations."""

import contextlib
import glob
import logging
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from keras_cyclegan.arguments import Direction
from keras_cyclegan.data.decode import MAX_PIXELS, open_image
from keras_cyclegan.data.folders import frames, left_out, sort_files, walk_files
from keras_cyclegan.data.kinds import KINDS, SUFFIXES, split_name, suffix_of
from keras_cyclegan.data.pixels import as_pictures, formats_of
from keras_cyclegan.data.writers import check_kind, write_images
from keras_cyclegan.inference.translate import generator_for

logger = logging.getLogger(__name__)


def plan_files(source, target):
    """Pair each image file with the file of its translation.

    Args:
        source: path of an image, of a folder (for all images in it and below), or a pattern with
            `*`, `**`, `?` or `[…]`. A path that exists is no pattern, even if it has brackets.
            Hidden files and folders are left out as in training, and so are the images in `target`.
        target: path. For one image a file or a folder; for several a folder, in which they get the
            same sub-folders as in the source.
    """
    source, target = Path(source), Path(target)
    if split_name(source)[0].is_file():
        pairs = [(source, _target_file(source, target))]
    else:
        root, found = _files_of(source)
        if root.resolve() in target.resolve().parents:  # leave out earlier translations
            found = [path for path in found if target.resolve() not in path.resolve().parents]
        shown = (path for path in found if "/." not in f"/{path.relative_to(root).as_posix()}")
        images, others = sort_files(shown)
        if others:
            logger.warning("Left out %s.", left_out(others))
        pairs = [(path, target / _named(path).relative_to(root)) for path in images]
    if not pairs:
        raise FileNotFoundError(
            f"There is no image at '{source}': expected a file, a folder or a pattern with files "
            f"that end in {', '.join(SUFFIXES)}."
        )
    sources = {path.resolve() for path, _ in pairs}
    folders = {folder for _, into in pairs for folder in into.parents}
    if files := [folder for folder in folders if folder.exists() and not folder.is_dir()]:
        raise ValueError(f"{files[0]} is a file. Give a folder, or the place of a new one.")
    for path, into in pairs:
        if into.resolve() in sources:
            raise ValueError(
                f"{into}, the translation of {path}, would replace an image of the source. Give "
                "another folder to write."
            )
    return pairs


def _files_of(source):
    """Return the folder of a source, and the files in and below it."""
    if source.is_dir():
        return source, walk_files(source)
    root = source
    while not root.is_dir() and root != root.parent:
        root = root.parent
    pattern = os.path.join(glob.escape(str(root)), source.relative_to(root))
    return root, map(Path, glob.glob(pattern, recursive=True))


def _target_file(source, target):
    """Return the path of one file's translation: `target`, or a file in it if it is a folder."""
    suffix = suffix_of(target)
    if target.is_dir() or not (suffix in SUFFIXES or suffix in Image.registered_extensions()):
        return target / split_name(_named(source))[0].name
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{target} can't be written as {suffix}. Give a folder, or a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    return target


def _named(path):
    """Return a path with a suffix: that of its content, where it has none."""
    if path.suffix:
        return path
    try:
        with Image.open(path) as image:
            kind = "JPEG" if image.format == "MPO" else image.format
    except OSError:
        return path  # the error is told when it is translated
    kinds = {name.upper(): kind for name, kind in KINDS.items()}
    return path.with_suffix(kinds[kind].suffixes[0]) if kind in kinds else path


def translate_files(model, pairs, **options):
    """Translate the `pairs` of `plan_files`; one that can't be doesn't stop the others.

    `options` are of `translate_file`. Yields `(source, target, error)`: None or an exception.
    """
    generator_for(model, options.get("direction", "a_to_b"))  # an error of all images is one
    for pair in pairs:
        yield *pair, translate_file(model, *pair, **options)


def translate_file(
    model, source, target, skip_existing=False, side_by_side=False, masks=None, **options
):
    """Translate one file with all of its pages or slices; return None or what was wrong.

    `masks` has a file of each image's name, black where it stays; `options` are of `translate`.
    """
    if skip_existing and target.exists():
        return None
    try:
        given, wanted = formats_of(model, Direction(options.get("direction", "a_to_b")))
        images = frames(source, given.channels)
        if wanted.dtype != "uint8":  # before the work
            check_kind(target, wanted.dtype, wanted.channels, len(images))
        single = len(images) == 1
        inside = [None] * len(images) if masks is None else _masks_of(source, masks, len(images))
        found = model.translate(images[0] if single else images, **options)
        translated, doubts = found if options.get("return_doubt") else (found, None)
        if single:
            translated, doubts = [translated], doubts and [doubts]
        limit = options.get("max_pixels", MAX_PIXELS)
        for i, (image, mask, fake) in enumerate(zip(images, inside, translated, strict=True)):
            original = None
            if mask is not None or side_by_side:
                original = _original(image, fake, given, wanted, limit)
            if mask is not None:
                translated[i] = fake = _inside(open_image(mask, 1, limit).pixels, original, fake)
            if side_by_side:
                translated[i] = np.concatenate([original, fake], axis=1)
        write_images(target, np.stack(translated), source)
        if doubts:
            maps = np.stack([doubt.map for doubt in doubts])
            write_images(target.with_suffix(".doubt.png"), np.uint8(np.round(255 * maps)))
            if any(doubt.unlike for doubt in doubts):
                logger.warning("%s is unlike the images that the model knows.", source)
    except (ImportError, ValueError, OSError) as error:
        return error
    except MemoryError as error:
        return error if str(error) else MemoryError(f"There is too little memory to open {source}.")
    return None


def _original(path, translated, given, wanted, max_pixels):
    """Open the image as for the generator, with the channels and the range of its translation."""
    if not given.dtype == wanted.dtype == "uint8":
        image = open_image(path, given.channels, max_pixels, given).pixels
        return wanted.from_unit(given.to_unit(image))
    colours = 3 if translated.shape[-1] >= 3 else 1
    alpha = translated[:, :, colours:]  # `translate` copied it from the image
    return np.concatenate([open_image(path, colours, max_pixels).pixels, alpha], axis=-1)


def _masks_of(source, folder, count):
    """Find the file of an image's mask by its name; return the places of its pages."""
    path = next((p for p in sorted(Path(folder).iterdir()) if p.stem == source.stem), None)
    if path is None:
        raise FileNotFoundError(f"{source} has no mask: there is no {source.stem}.png in {folder}.")
    found = frames(path, 1)
    if len(found) != count:
        raise ValueError(f"{source} has {count} images, and its mask {path} {len(found)}.")
    return found


def _inside(mask, image, translated):
    """Return a translation where its mask is white, and the image where it is black."""
    if mask.shape[:2] != image.shape[:2]:
        sizes = ["×".join(map(str, pixels.shape[:2])) for pixels in (mask, image)]
        raise ValueError(f"The mask has {sizes[0]} pixels, the image {sizes[1]}.")
    image, part = image.astype("float32"), mask / np.float32(255)
    painted = image + part * (translated - image)
    rounded = np.round(painted) if translated.dtype.kind in "iu" else painted
    return rounded.astype(translated.dtype)


def write_sheet(path, model, pairs, direction="a_to_b", side=256, columns=4, most=32):
    """Write a picture of the first images beside their translations, as far as these exist."""
    formats = formats_of(model, Direction(direction))
    shown = []
    for pair in pairs:
        if len(shown) < most:
            with contextlib.suppress(ValueError, OSError):
                shown.append([_small(*item, side) for item in zip(pair, formats, strict=True)])
    columns = max(1, min(columns, len(shown)))
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (2 * side * columns, max(1, rows * side)), "white")
    for i, pair in enumerate(shown):
        for j, picture in enumerate(pair):
            sheet.paste(picture, ((2 * (i % columns) + j) * side, i // columns * side))
    write_images(path, np.asarray(sheet)[None])


def _small(path, pixels, side):
    place = frames(path, pixels.channels)[0]
    image = open_image(place, pixels.channels, pixels=pixels).pixels
    picture = as_pictures(pixels.to_unit(image))
    picture = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    return ImageOps.pad(picture.convert("RGB"), (side, side), color="white")
