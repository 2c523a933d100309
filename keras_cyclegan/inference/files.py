"""Translates files: a folder of images to a folder of translations."""

import glob
import os
from pathlib import Path

import numpy as np
from PIL import Image

from keras_cyclegan.data.decode import MAX_PIXELS, open_image
from keras_cyclegan.data.folders import walk_files
from keras_cyclegan.files.atomic import atomic_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def plan_files(source, target):
    """Pair each image file with the file of its translation.

    Args:
        source: path of an image, of a folder (for all images in it and below), or a pattern with
            `*`, `**`, `?` or `[…]`. A path that exists is no pattern, even if it has brackets.
            Hidden files and folders, whose names begin with a dot, are left out as in training, and
            so are the images in `target`, where that is a folder below the source.
        target: path. For one image a file or a folder; for several a folder, in which they get the
            same sub-folders as in the source.

    Returns:
        List of pairs of `Path`, sorted.

    Raises:
        FileNotFoundError: there is no image at `source`.
        ValueError: a file to write is an image of `source`, or has the suffix of no known format.
    """
    source, target = Path(source), Path(target)
    if source.is_file():
        pairs = [(source, _target_file(source, target))]
    else:
        root, files = _files_of(source)
        images = sorted(path for path in files if _is_image(path.relative_to(root), path))
        if root.resolve() in target.resolve().parents:  # leave out earlier translations
            images = [path for path in images if target.resolve() not in path.resolve().parents]
        pairs = [(path, target / path.relative_to(root)) for path in images]
    if not pairs:
        raise FileNotFoundError(
            f"There is no image at '{source}': expected a file, a folder or a pattern with files "
            f"that end in {', '.join(SUFFIXES)}."
        )
    sources = {path.resolve() for path, _ in pairs}
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
    suffix = target.suffix.lower()
    if target.is_dir() or suffix not in Image.registered_extensions():
        return target / source.name
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{target} can't be written as {suffix}. Give a folder, or a file that ends in "
            f"{', '.join(SUFFIXES)}."
        )
    return target


def _is_image(place, path):
    hidden = any(part.startswith(".") for part in place.parts)
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def translate_files(model, pairs, skip_existing=False, side_by_side=False, **options):
    """Translate file by file; a file that can't be translated doesn't stop the others.

    Args:
        model: `CycleGAN`.
        pairs: pairs of paths, see `plan_files`.
        skip_existing: bool, False by default. Whether to leave existing targets as they are.
        side_by_side: bool, False by default. Whether to write the image beside its translation.
        **options: arguments of `CycleGAN.translate`.

    Yields:
        `(source, target, error)` for each pair, where `error` is None or an exception.
    """
    for source, target in pairs:
        yield (
            source,
            target,
            translate_file(model, source, target, skip_existing, side_by_side, **options),
        )


def translate_file(model, source, target, skip_existing=False, side_by_side=False, **options):
    """Translate one file; see `translate_files`.

    Returns:
        None, or the error: a `ValueError`, an `OSError` or a `MemoryError`.
    """
    if skip_existing and target.exists():
        return None
    try:
        translated = model.translate(source, **options)
        if side_by_side:
            original = _original(source, translated, options.get("max_pixels", MAX_PIXELS))
            translated = np.concatenate([original, translated], axis=1)
        _write_image(translated, target)
    except (ValueError, OSError) as error:
        return error
    except MemoryError as error:
        return error if str(error) else MemoryError(f"There is too little memory to open {source}.")
    return None


def _original(path, translated, max_pixels):
    """Open the image as for the generator, with the channels of its translation."""
    colours = 3 if translated.shape[-1] >= 3 else 1
    alpha = translated[:, :, colours:]  # `translate` copied it from the image
    return np.concatenate([open_image(path, colours, max_pixels).pixels, alpha], axis=-1)


def _write_image(image, path):
    """Write a file whole or not at all; JPEG at a quality without visible artefacts."""
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp"):
        picture = picture.convert("RGB")
    try:
        with atomic_file(path) as unfinished:
            picture.save(unfinished, quality=95)
    except (ValueError, OSError) as error:  # a full disk, or a side longer than the format takes
        raise OSError(
            f"Can't write {path}: {error}. Make room, or choose another folder or format."
        ) from error
