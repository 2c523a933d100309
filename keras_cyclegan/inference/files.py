"""Translations of many files: a folder in, the same folder out."""

import glob
import os
from pathlib import Path

import numpy as np
from PIL import Image

from keras_cyclegan.data import decode_image
from keras_cyclegan.whole import whole_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def plan_files(source, target):
    """Pairs of `(source file, target file)`.

    Args:
        source: an image, a folder (all images in it and below) or a pattern with `*`.
        target: for one image a file, or a folder; for several a folder, in which what lies below
            the source folder keeps its place.

    Returns:
        List of pairs of `Path`, sorted.

    Raises:
        FileNotFoundError: there is no image at `source`.
        ValueError: two images would be written to one file, or an image over itself.
    """
    source, target = str(source), Path(target)
    if os.path.isfile(source):
        path = Path(source)
        into = target if target.suffix.lower() in SUFFIXES else target / path.name
        pairs = [(path, into)]
    else:
        if os.path.isdir(source):
            root, files = Path(source), Path(source).rglob("*")
        else:
            root = Path(os.path.dirname(source.partition("*")[0]))
            files = (Path(path) for path in glob.glob(source, recursive=True))
        images = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
        pairs = [(path, target / path.relative_to(root)) for path in images if path.is_file()]
    if not pairs:
        raise FileNotFoundError(
            f"There is no image at {source!r}: expected a file, a folder or a pattern with files "
            f"that end in {', '.join(SUFFIXES)}."
        )
    for path, into in pairs:
        if path.resolve() == into.resolve():
            raise ValueError(f"{path} would be written over itself. Give another folder to write.")
    return pairs


def translate_files(model, pairs, skip_existing=False, side_by_side=False, **options):
    """Translate file by file; a file that can't be translated doesn't stop the rest.

    Args:
        model: `CycleGAN`.
        pairs: of `plan_files`.
        skip_existing: bool. Leave targets alone that are already there.
        side_by_side: bool. Write the image and its translation beside one another.
        **options: of `CycleGAN.translate`.

    Yields:
        `(source, target, error)` for each pair, `error` None, or what went wrong.
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
        None, or what went wrong: a `ValueError` or an `OSError`.
    """
    if skip_existing and target.exists():
        return None
    try:
        translated = model.translate(source, **options)
        if side_by_side:
            translated = np.concatenate([_original(source, translated), translated], axis=1)
        _write_image(translated, target)
    except (ValueError, OSError) as error:
        return error
    return None


def _original(path, translated):
    """The image as the generator saw it, with the channels of its translation."""
    colours = 3 if translated.shape[-1] >= 3 else 1
    alpha = translated[:, :, colours:]  # the translation's is the image's
    return np.concatenate([decode_image(path, colours), alpha], axis=-1)


def _write_image(image, path):
    """Whole or not at all; JPEG at a quality that shows no trace of itself."""
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp"):
        picture = picture.convert("RGB")
    with whole_file(path) as unfinished:
        picture.save(unfinished, quality=95)
