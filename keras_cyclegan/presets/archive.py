"""Unpacks preset archives, zip or tar, which may come from strangers."""

import errno
import functools
import gzip
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from keras_cyclegan.files.untrusted import MAX_READ, BoundedReads, brief, shown
from keras_cyclegan.presets.folder import FILES

MAX_BYTES = 4 * 2**30  # of all files together
EXPANSION = 100  # times the archive's size; weights hardly get smaller by compression
ALWAYS_ALLOWED = 2**24  # bytes


def unpack(path, folder):
    """Write the files of a preset archive to an empty `folder`.

    The archive holds the files of a preset, or one folder with them. A ValueError refuses members
    that aren't such plain files, and what expands to more than it declares, a hundredfold or 4 GiB.
    """
    try:
        allowed = min(MAX_BYTES, max(EXPANSION * Path(path).stat().st_size, ALWAYS_ALLOWED))
        with open(path, "rb") as file:
            members = (_zip_members if zipfile.is_zipfile(file) else _tar_members)(file)
            for name, size, open_member in _checked(members, allowed):
                _copy(open_member(), Path(folder, name), size)
    # On damaged bytes the readers can raise nearly anything.
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise ValueError(f"{path} is refused as a preset archive: {brief(error)}") from error


def _zip_members(file):
    """Yield `(path, size, is_plain, open_member)` of files, and None for folders."""
    archive = zipfile.ZipFile(BoundedReads(file))
    for member in archive.infolist():
        # With other methods of compression the archive decides how much memory unpacking takes.
        is_common = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        is_file = member.external_attr >> 28 in (0, 8) and not member.flag_bits & 1
        opens = functools.partial(archive.open, member)
        described = (member.filename, member.file_size, is_file and is_common, opens)
        yield None if member.is_dir() else described


def _tar_members(file):
    file.seek(0)
    is_compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if is_compressed else file
    for member in (archive := tarfile.TarFile(fileobj=BoundedReads(stream))):
        is_plain = member.isreg() and not member.issparse()
        opens = functools.partial(archive.extractfile, member)
        yield None if member.isdir() else (member.name, member.size, is_plain, opens)


def _checked(members, allowed):
    """Return `(name, size, open_member)` of the members, each of which is checked as it comes."""
    found, tops, total = {}, set(), 0
    for count, member in enumerate(members):
        if count == 2 * len(FILES):
            raise ValueError(f"it has more members than the {len(FILES)} files of a preset")
        if member is None:
            continue
        path, size, is_plain, open_member = member
        *top, name = PurePosixPath(path).parts or [""]
        is_expected = name in FILES and name not in found and len(top) <= 1 and is_plain
        if not is_expected or top in ([".."], ["/"]) or "\\" in path:
            raise ValueError(
                f"its member {shown(path)} is no plain file of a preset. Expected "
                f"{', '.join(FILES)}, each once, all in one folder or in none."
            )
        tops.add(tuple(top))
        total += size
        if total > allowed:  # before the reader of a tar skips over its bytes
            raise ValueError(f"it expands to {total} bytes; {allowed} are allowed")
        found[name] = (name, size, open_member)
    if len(tops) > 1:
        raise ValueError(f"its files lie in several folders: {shown(sorted(tops))}")
    return list(found.values())


def _copy(source, path, size):
    written = 0
    with open(path, "wb") as file:
        while (block := source.read(MAX_READ)) and written + len(block) <= size:
            written += file.write(block)
    if block or written != size:
        raise ValueError(f"{path.name} hasn't the {size} bytes that were declared")
