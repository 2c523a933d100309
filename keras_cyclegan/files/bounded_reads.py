"""Bounds the reads of `zipfile` and `tarfile`, which trust the lengths in headers."""

LONGEST = 2**20  # bytes


class BoundedReads:
    """A file of which at most a megabyte is read at a time.

    No directory or name of an archive for this package is longer. Members must be read in pieces.
    """

    def __init__(self, file):
        self.file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, count=None):
        block = self.file.read(min(LONGEST + 1 if count is None else count, LONGEST + 1))
        if len(block) > LONGEST:
            raise ValueError(f"a header of it has more than the {LONGEST} bytes allowed")
        return block
