"""Refuses pipes and devices in place of files, before they are opened."""

import os
import stat


def check_regular(path):
    """Raise a ValueError for a pipe, a socket or a device: to open or to read it may never end.

    A folder passes, and so does a link to a file: opening a folder says itself what is wrong.

    Args:
        path: path.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: see above.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(
            f"Can't read {os.fspath(path)}: expected a file, but it is a pipe or a device, which "
            "may never end. Write its content to a file first."
        )
