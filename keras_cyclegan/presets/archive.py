"""Preset archives, zip or tar, that may come from anyone."""

import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from keras_cyclegan.presets.folder import FILES

LARGEST = 4 * 2**30  # bytes, of all files together


def unpack(path, folder):
    """Writes the files of a preset archive to an empty `folder`.

    The archive holds the files of a preset, or one folder with them, and nothing else.

    Raises:
        ValueError: it is no archive, is damaged, or has a member that isn't a plain file of a
            preset: another name, an absolute path, `..`, a link; or it expands beyond the size
            that it declares, or beyond 4 GiB.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.infolist() if not m.is_dir()]
                checked = _checked([(m.filename, m.file_size, _is_plain(m), m) for m in members])
                for name, size, member in checked:
                    with archive.open(member) as source:
                        _copy(source, Path(folder, name), size)
        else:
            with tarfile.open(path) as archive:
                members = _few(m for m in archive if not m.isdir())
                checked = _checked([(m.name, m.size, m.isreg(), m) for m in members])
                for name, size, member in checked:
                    _copy(archive.extractfile(member), Path(folder, name), size)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError) as error:
        raise ValueError(f"{path} is no preset archive that can be unpacked: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} is refused: {error}") from error


def _checked(members):
    """`(name, size, member)` of the preset's files, from `(path, size, is_plain, member)`."""
    found, tops = {}, set()
    for path, size, is_plain, member in members:
        parts = PurePosixPath(path).parts
        name = parts[-1] if parts else ""
        tops.add(parts[:-1])
        allowed = name in FILES and name not in found and len(parts) <= 2 and is_plain
        if not allowed or parts[0] in ("..", "/") or "\\" in path:
            raise ValueError(
                f"its member {path!r} is no plain file of a preset. Expected {', '.join(FILES)}, "
                "in one folder or in none, each once."
            )
        found[name] = (name, size, member)
    if len(tops) > 1:
        raise ValueError(f"its files lie in several folders: {sorted('/'.join(t) for t in tops)}")
    total = sum(size for _, size, _ in found.values())
    if total > LARGEST:
        raise ValueError(f"it expands to {total} bytes; {LARGEST} are allowed")
    return list(found.values())


def _few(members):
    """The members, of which an archive of a preset has no more than files; `.` and `..` aside."""
    found = []
    for member in members:
        found.append(member)
        if len(found) > len(FILES):
            raise ValueError(f"it has more members than the {len(FILES)} files of a preset")
        if member.size > LARGEST:
            raise ValueError(f"its member {member.name!r} expands to {member.size} bytes")
    return found


def _is_plain(member):
    """Whether a zip member is a file, not a link; without Unix attributes it can't be one."""
    kind = member.external_attr >> 28
    return kind in (0, 8) and not member.flag_bits & 1


def _copy(source, path, size):
    with open(path, "wb") as file:
        shutil.copyfileobj(_Limited(source, size), file)
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, {size} were declared")


class _Limited:
    """A file that may be read for `size` bytes and no more."""

    def __init__(self, file, size):
        self.file = file
        self.left = size

    def read(self, count):
        block = self.file.read(count)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError("a member expands beyond its declared size")
        return block
