"""Labels of images: classes by sub-folder, label maps, or arrays."""

import pathlib

import numpy as np

from keras_cyclegan.files.untrusted import printable

IGNORED = 255  # of label maps, as in Cityscapes: counts nowhere


def labels_of(labels, domain, names, answered):
    """Find the label of each image of a domain, in what `evaluate` was given.

    Returns:
        Integers of the shape of the judge's answers less the classes, -1 where they don't count,
        and the names of the classes; Nones where no image of the domain has a label.
    """
    classes = [str(i) for i in range(answered[-1])]
    if isinstance(labels, dict):
        if labels.get(domain) is None:
            return None, None
        return _checked(np.asarray(labels[domain]), answered, f'labels["{domain}"]'), classes
    root = pathlib.Path(labels)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of labels {printable(str(labels))}.")
    root = root / domain.upper() if (root / domain.upper()).is_dir() else root
    shown = printable(str(root))
    files = {path.stem: path for path in sorted(root.rglob("*")) if path.is_file()}
    found = [files.get(pathlib.PurePath(name).stem) for name in names]
    if not any(found):
        return None, None
    missing = [printable(name) for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        raise ValueError(
            f"{shown} lacks labels of {len(missing)} of {len(names)} images of "
            f"{domain.upper()}: {', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}."
        )
    if len(answered) == 4:
        maps = np.stack([_read_map(path, answered[1:3]) for path in found])
        return _checked(maps, answered, shown), classes
    folders = sorted({path.parent.name for path in files.values()})
    if all(name.isdecimal() for name in folders):  # numbers of the judge's classes
        return _checked(np.array([int(p.parent.name) for p in found]), answered, shown), classes
    if len(folders) != answered[-1]:
        raise ValueError(
            f"The judge knows {answered[-1]} classes, and {shown} has {len(folders)} sub-folders: "
            f"{', '.join(map(printable, folders[:10]))}. Sub-folders are classes in the order of "
            "their names; of fewer classes, name them by the judge's numbers."
        )
    return np.array([folders.index(path.parent.name) for path in found]), folders


def _checked(values, answered, source):
    """Return labels as int64, -1 where a pixel of a map doesn't count."""
    values = values.astype("int64")
    if values.ndim == 3:
        values = np.where(values == IGNORED, -1, values)
    if values.shape != answered[:-1] or values.max() >= answered[-1]:
        raise ValueError(
            f"Labels are classes of 0 … {answered[-1] - 1}, {answered[:-1]}. Received "
            f"{values.shape} up to {values.max()} in {source}."
        )
    return values


def _read_map(path, size):
    """Read an 8-bit map of classes, brought to the size of the judge's answers."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(
                f"A label map has a class in each pixel, 8 bits. {printable(str(path))} has "
                f"{image.mode}."
            )
        return np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST))
