"""Downloads files from the web by pooch: whole, checked, and only once."""

import contextlib
import logging
import os
import sys
from pathlib import Path

from keras_cyclegan.files.atomic import atomic_file
from keras_cyclegan.files.untrusted import brief, check_regular

ATTEMPTS = 4  # pooch waits 1, 2 and 3 seconds between them
PATIENCE = 30  # seconds without a byte that end an attempt
BLOCK = 2**18  # bytes


class DownloadError(RuntimeError):
    """Raised when a file could not be downloaded: try again, or put the file there yourself."""


def cache_folder():
    """Return the folder of downloads: `keras_cyclegan` in `KERAS_HOME` or in `~/.keras`."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return Path(home).absolute() / "keras_cyclegan"


def is_offline():
    """Return whether `KERAS_CYCLEGAN_OFFLINE` or `HF_HUB_OFFLINE` forbids downloads."""
    names = ("KERAS_CYCLEGAN_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def fetch(url, path, sha256=None, attempts=ATTEMPTS):
    """Download a file to `path`, unless it is there with the right hash; return the path.

    `sha256` is the expected hash. Without it, that of the first download is logged and recorded
    beside the file (`.sha256`), and later ones must have it. A `DownloadError` says that the
    network is off or fails, or that the file isn't the expected one.
    """
    import pooch

    path = Path(path)
    if is_offline() and not path.exists():
        raise DownloadError(
            f"Offline mode is on, and {path} is missing. Download {url} on a machine with a "
            "network and copy it there, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
        )
    record = path.with_name(f"{path.name}.sha256")
    try:
        for file in filter(os.path.exists, (path, record)):
            check_regular(file)
        if sha256 is None and record.exists():
            sha256 = record.read_text().strip()
        files = pooch.create(
            path.parent,
            base_url="",
            registry={path.name: sha256},
            urls={path.name: url},
            retry_if_failed=attempts - 1,
            allow_updates=not is_offline(),
        )
        shows = sys.stderr.isatty()
        files.fetch(path.name, downloader=pooch.HTTPDownloader(shows, BLOCK, timeout=PATIENCE))
        if sha256 is None:
            found = pooch.file_hash(path)
            logging.getLogger(__name__).warning(
                "%s has SHA-256 %s: later downloads must have it too", url, found
            )
            with contextlib.suppress(OSError), atomic_file(record) as unfinished:
                unfinished.write_text(found + "\n")  # in a read-only cache nothing is recorded
    except Exception as error:  # a server can make the libraries raise nearly anything
        update = f" If a new version is expected, remove {record}." if record.exists() else ""
        raise DownloadError(
            f"{url} could not be downloaded: {brief(error)} Its place is {path}. Try again, put "
            f"the file there by other means, or set KERAS_HOME to another folder.{update}"
        ) from error
    return path


def forget(path):
    """Remove a useless download."""
    for file in (path, path.with_name(f"{path.name}.sha256")):
        file.unlink(missing_ok=True)
