"""Reads the colours of label maps, by name or from a file."""

import json
import pathlib
from collections.abc import Sequence

from keras_cyclegan.metrics import FACADES_PALETTE


def read_palette(name: str | None) -> Sequence[Sequence[float]] | None:
    """Read the colours that a user names, for `SegmentationScores`.

    Args:
        name: `"facades"`, the path of a JSON file, `[[red, green, blue], …]` in 0 … 255, or
            `None` for no palette.

    Returns:
        A list of colours, or `None`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file doesn't hold a list of colours.

    Example:

    ```python
    len(read_palette("facades"))  # 12
    ```
    """
    if name is None:
        return None
    if name == "facades":
        return FACADES_PALETTE
    path = pathlib.Path(name)
    if not path.exists():
        raise FileNotFoundError(f'A palette is "facades" or a JSON file. There is no {name}.')
    try:
        colours = json.loads(path.read_text(encoding="utf-8"))
        return [tuple(float(level) for level in colour) for colour in colours]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name} must hold a list of colours, [[red, green, blue], …] in 0 … 255. It can't be "
            f"read: {error}."
        ) from error
