"""Unpacks preset archives, zip or tar, which may come from strangers."""

import errno
import gzip
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from keras_cyclegan.files.untrusted import BoundedReads, brief, shown
from keras_cyclegan.presets.folder import FILES

MAX_BYTES = 4 * 2**30  # bytes, of all files together
EXPANSION = 100  # times the archive's size; weights hardly get smaller by compression
ALWAYS_ALLOWED = 2**24  # bytes


def unpack(path, folder):
    """Write the files of a preset archive to an empty `folder`.

    The archive holds the files of a preset, or one folder with them, and nothing else.

    Raises:
        ValueError: it is no archive, or damaged; it has a member that isn't a plain file of a
            preset (another name, an absolute path, `..`, a link); or it expands to more than the
            size that it declares, to more than a hundred times its own, or to more than 4 GiB.
    """
    try:
        max_bytes = min(MAX_BYTES, max(EXPANSION * Path(path).stat().st_size, ALWAYS_ALLOWED))
        (_unpack_zip if zipfile.is_zipfile(path) else _unpack_tar)(path, folder, max_bytes)
    # On damaged bytes the readers can raise nearly anything.
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise ValueError(f"{path} is refused as a preset archive: {brief(error)}") from error


def _unpack_zip(path, folder, max_bytes):
    with open(path, "rb") as file, zipfile.ZipFile(BoundedReads(file)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        described = [(m.filename, m.file_size, _is_plain(m), m) for m in members]
        checked = _checked(described, max_bytes)
        for name, size, member in checked:
            with archive.open(member) as source:
                _copy(source, Path(folder, name), size)


def _unpack_tar(path, folder, max_bytes):
    with open(path, "rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    with (
        (gzip.open if is_compressed else open)(path, "rb") as stream,
        tarfile.open(fileobj=BoundedReads(stream), mode="r:") as archive,
    ):
        members = [m for m in _bounded_members(archive, max_bytes) if not m.isdir()]
        described = [(m.name, m.size, m.isreg() and not m.issparse(), m) for m in members]
        checked = _checked(described, max_bytes)
        for name, size, member in checked:
            _copy(archive.extractfile(member), Path(folder, name), size)


def _checked(members, max_bytes):
    """Check `(path, size, is_plain, member)` of each; return `(name, size, member)`."""
    found, tops = {}, set()
    for path, size, is_plain, member in members:
        parts = PurePosixPath(path).parts
        name = parts[-1] if parts else ""
        tops.add(parts[:-1])
        allowed = name in FILES and name not in found and len(parts) <= 2 and is_plain
        if not allowed or parts[0] in ("..", "/") or "\\" in path:
            raise ValueError(
                f"its member {shown(path)} is no plain file of a preset. Expected "
                f"{', '.join(FILES)}, each once, all in one folder or in none."
            )
        found[name] = (name, size, member)
    if len(tops) > 1:
        raise ValueError(f"its files lie in several folders: {shown(sorted(tops))}")
    total = sum(size for _, size, _ in found.values())
    if total > max_bytes:
        raise ValueError(f"it expands to {total} bytes; {max_bytes} are allowed")
    return list(found.values())


def _bounded_members(archive, max_bytes):
    """List the members of a tar; refuse more members or bytes than a preset can have."""
    found, total = [], 0
    for member in archive:
        found.append(member)
        total += member.size
        if len(found) > 2 * len(FILES):
            raise ValueError(f"it has more members than the {len(FILES)} files of a preset")
        if total > max_bytes:  # before the reader skips over its bytes
            raise ValueError(f"it expands to {total} bytes; {max_bytes} are allowed")
    return found


def _is_plain(member):
    """Return whether a zip member is a file and not a link, stored in a common way."""
    kind = member.external_attr >> 28
    # With the other methods, the archive decides how much memory unpacking takes.
    is_common = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return kind in (0, 8) and is_common and not member.flag_bits & 1


def _copy(source, path, size):
    with open(path, "wb") as file:
        shutil.copyfileobj(_Limited(source, size), file)
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, {size} were declared")


class _Limited:
    """A file of which only `size` bytes may be read."""

    def __init__(self, file, size):
        self.file = file
        self.left = size

    def read(self, count):
        block = self.file.read(count)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError("a member expands beyond its declared size")
        return block
